import type { Index, NodeId } from '../engine.js';
import type { EventLog } from '../event-log.js';
import type { LogEnd } from '../log/frame.js';
import type { Effect, Input, LinkId } from '../replication/state.js';
import type { Log, SnapshotSource, Snapshots } from './ports.js';
import type { Departure, TransferPace } from './transfer-pace.js';

/** How much of a snapshot travels at a time: one part to each backup, and the next one when that has arrived. */
const PART_BYTES = 512 * 1024;

/** For a transfer, at least so much of the log is kept. */
export const KEPT_LOG_BYTES_MIN = 256 * 1024 * 1024;
/**
 * Once the log that is kept for a transfer is so many times as long as the snapshot, it is quicker to send another snapshot than all of
 * that log.
 */
const KEPT_LOG_FACTOR = 2;
/** Clients that write so much of it meanwhile are not given way to: the transfer must come to its end first. */
const HURRIED_SHARE = 1 / 4;

/**
 * A part that was sent once is asked for again each few seconds until it has arrived. A link loses nothing while it is up, and a
 * slow one would only have more to carry: so it is sent again when it was asked for this often, and then ever less often.
 */
const FIRST_REPEAT = 4;
const REPEAT_PERIOD_MAX = 32;

export interface SnapshotTransfersParts {
  readonly snapshots: Snapshots;
  readonly events: EventLog;
  readonly pace: TransferPace;
  log(): Log;
  /** Writes the JSON file now. */
  takeSnapshot(): Promise<unknown>;
  input(input: Input): void;
}

type Asked = Extract<Effect, { kind: 'feed snapshot' }>;

/** One snapshot on its way to one backup. */
interface Transfer {
  link: LinkId;
  source: SnapshotSource | undefined;
  /** How much had been appended to the log when the source was opened. */
  appendedBytes: number;
  /** Asked for and not begun to be read. */
  next: Asked | undefined;
  /** What was read last for this link, and how often it was asked for since. */
  last: { readonly end: LogEnd; readonly offset: number } | undefined;
  repeats: number;
  /** When that was sent, until the next one is asked for. */
  departure: Departure | undefined;
  /** The part behind that one, read while that one is on its way. */
  ahead: { readonly offset: number; readonly bytes: Promise<Buffer> } | undefined;
  /** While something is being opened or read. Invariant: one thing at a time. */
  work: Promise<void> | undefined;
  /** Nobody wants it any more. It is closed behind its work, unless a new link wants it by then. */
  isStopped: boolean;
}

/**
 * Sends the JSON file to backups that the log does not reach back to. Each has one transfer at the most, with one file that is open
 * and one part that is being read, however often its link comes and goes.
 */
export class SnapshotTransfers {
  readonly #parts: SnapshotTransfersParts;
  readonly #transfers = new Map<NodeId, Transfer>();

  constructor(parts: SnapshotTransfersParts) {
    this.#parts = parts;
  }

  /** The log is needed from behind here on, so that backups can go on from what they are being sent. */
  get neededFrom(): Index | undefined {
    const positions = [...this.#transfers.values()]
      .map((transfer) => this.#keptFrom(transfer))
      .filter((index) => index !== undefined);
    return positions.length === 0 ? undefined : (Math.min(...positions) as Index);
  }

  /** Reads a part for a backup and tells the core, unless that part is on its way already. */
  feed(asked: Asked): void {
    const { peer, link } = asked;
    let transfer = this.#transfers.get(peer);
    if (transfer === undefined) this.#transfers.set(peer, (transfer = newTransfer(link)));
    if (transfer.link !== link) {
      transfer.link = link;
      transfer.last = undefined;
    }
    transfer.isStopped = false;
    if (isRepeated(transfer, asked) && !isDue(++transfer.repeats)) return;
    transfer.next = asked;
    transfer.work ??= this.#work(peer, transfer);
  }

  stop(peer: NodeId): void {
    const transfer = this.#transfers.get(peer);
    if (transfer === undefined) return;
    transfer.isStopped = true;
    transfer.next = undefined;
    transfer.work ??= this.#end(peer, transfer);
  }

  /** Resolves once nothing is open any more. */
  async stopAll(): Promise<void> {
    const transfers = [...this.#transfers];
    for (const [peer] of transfers) this.stop(peer);
    for (const [, { work }] of transfers) await work;
  }

  async #work(peer: NodeId, transfer: Transfer): Promise<void> {
    try {
      for (let asked = transfer.next; asked !== undefined; asked = transfer.next) {
        transfer.source ??= await this.#open(transfer);
        await this.#giveWay(transfer, transfer.source);
        // Another link may have asked meanwhile, or nobody wants it any more.
        if (transfer.next !== asked) continue;
        transfer.next = undefined;
        await this.#read(transfer, transfer.source, asked);
      }
    } catch (error) {
      this.#parts.events.error({ err: error }, 'the snapshot could not be read for a backup');
      transfer.isStopped = true;
    }
    transfer.work = undefined;
    if (transfer.isStopped) await this.#end(peer, transfer);
  }

  async #end(peer: NodeId, { source, ahead }: Transfer): Promise<void> {
    this.#transfers.delete(peer);
    await ahead?.bytes.catch(() => undefined);
    await source?.close().catch(() => undefined);
  }

  async #open(transfer: Transfer): Promise<SnapshotSource> {
    if (this.#parts.snapshots.current === undefined) await this.#parts.takeSnapshot();
    transfer.appendedBytes = this.#parts.log().appendedBytes;
    const source = await this.#parts.snapshots.openCurrent();
    if (source === undefined) throw new Error('there is no snapshot to send');
    return source;
  }

  async #read(transfer: Transfer, source: SnapshotSource, asked: Asked): Promise<void> {
    const { peer, link } = asked;
    const { end, size } = source;
    const offset = end.index === asked.end?.index ? asked.offset : 0;
    if (!isRepeated(transfer, asked)) transfer.repeats = 0;
    transfer.last = { end, offset };
    const bytes = await takePart(transfer, source, offset);
    const next = offset + bytes.length;
    const isLast = next >= size;
    if (transfer.isStopped || transfer.link !== link) return;
    if (!isLast) readAhead(transfer, source, next);
    transfer.departure = this.#parts.pace.depart();
    this.#parts.input({ kind: 'fed snapshot', peer, link, end, offset, bytes, isLast });
  }

  /** Leaves time to clients between two parts. */
  async #giveWay(transfer: Transfer, source: SnapshotSource): Promise<void> {
    const { departure } = transfer;
    transfer.departure = undefined;
    if (departure === undefined || this.#keptShare(transfer, source) > HURRIED_SHARE) return;
    await this.#parts.pace.rest(departure);
  }

  #keptFrom(transfer: Transfer): Index | undefined {
    const { source } = transfer;
    if (source === undefined) return undefined;
    return this.#keptShare(transfer, source) > 1 ? undefined : source.end.index;
  }

  /** How much was appended to the log since the source was opened, over what is kept at the most. */
  #keptShare({ appendedBytes }: Transfer, { size }: SnapshotSource): number {
    const bytesMax = Math.max(KEPT_LOG_BYTES_MIN, KEPT_LOG_FACTOR * size);
    return (this.#parts.log().appendedBytes - appendedBytes) / bytesMax;
  }
}

function newTransfer(link: LinkId): Transfer {
  return {
    link,
    source: undefined,
    appendedBytes: 0,
    next: undefined,
    last: undefined,
    repeats: 0,
    departure: undefined,
    ahead: undefined,
    work: undefined,
    isStopped: false,
  };
}

/** One part is read ahead at the most, and nothing is read beside it. */
async function takePart(transfer: Transfer, source: SnapshotSource, offset: number): Promise<Buffer> {
  const { ahead } = transfer;
  transfer.ahead = undefined;
  const bytes = await ahead?.bytes;
  return bytes !== undefined && ahead?.offset === offset ? bytes : source.read(offset, PART_BYTES);
}

function readAhead(transfer: Transfer, source: SnapshotSource, offset: number): void {
  const bytes = source.read(offset, PART_BYTES);
  // Whoever asks for that part is told.
  bytes.catch(() => undefined);
  transfer.ahead = { offset, bytes };
}

/** Whoever asks before the first part has come cannot say of which snapshot. */
function isRepeated({ last }: Transfer, { end, offset }: Asked): boolean {
  return last?.offset === offset && (end === undefined || last.end.index === end.index);
}

function isDue(repeats: number): boolean {
  const isPower = repeats >= FIRST_REPEAT && (repeats & (repeats - 1)) === 0;
  return repeats < REPEAT_PERIOD_MAX ? isPower : repeats % REPEAT_PERIOD_MAX === 0;
}
