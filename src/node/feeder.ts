import type { Index, NodeId } from '../engine.js';
import type { EventLog } from '../event-log.js';
import { sizeOf } from '../log/frame.js';
import type { Effect, Input } from '../replication/state.js';
import type { FrameCache } from './frame-cache.js';
import type { Log, Snapshots } from './ports.js';
import { SnapshotTransfers } from './snapshot-transfers.js';
import type { Departure, TransferPace } from './transfer-pace.js';

type FeedEffect = Extract<Effect, { kind: 'feed' | 'supply' | 'feed snapshot' | 'stop snapshot' }>;
type FramesEffect = Extract<FeedEffect, { kind: 'feed' | 'supply' }>;

/** What the files gave a backup, and how much the log grew meanwhile: sums in which the last reads count most. */
interface Given {
  /** Of frames. */
  bytes: number;
  grownBytes: number;
  /**
   * Of when the last of it was asked for, before its own rest: the next is asked for in the turn in which this leaves, and in no time
   * nobody writes.
   */
  departure: Departure;
}

/** A backup that is not given so many times as much as clients write is not slowed down for them: it would hardly gain on them. */
const GAINED_TIMES = 2;
/** What of a sum is left with each read, so that some sixty count: one that rested says nothing of one that did not. */
const KEPT_OF_SUM = 63 / 64;

export interface FeederParts {
  readonly cache: FrameCache;
  readonly snapshots: Snapshots;
  readonly events: EventLog;
  readonly pace: TransferPace;
  log(): Log;
  /** Writes the JSON file now. */
  takeSnapshot(): Promise<unknown>;
  input(input: Input): void;
}

/** Reads for backups what they lack: new frames from memory, older ones from the files, the whole map from the JSON file. */
export class Feeder {
  readonly #parts: FeederParts;
  readonly #transfers: SnapshotTransfers;
  /** By backup, what it asked for while the files are being read for it: nothing, or the newest. */
  readonly #reading = new Map<NodeId, FramesEffect | undefined>();
  /** By backup that is fed from the files. */
  readonly #given = new Map<NodeId, Given>();

  constructor(parts: FeederParts) {
    this.#parts = parts;
    this.#transfers = new SnapshotTransfers(parts);
  }

  /** The log is needed from behind here on, for backups that are being sent a snapshot. */
  get neededFrom(): Index | undefined {
    return this.#transfers.neededFrom;
  }

  perform(effect: FeedEffect): void {
    switch (effect.kind) {
      case 'stop snapshot':
        this.#transfers.stop(effect.peer);
        break;
      case 'feed snapshot':
        this.#transfers.feed(effect);
        break;
      case 'feed':
        this.#feed(effect);
        break;
      case 'supply':
        if (!this.#fromMemory(effect)) void this.#fromFiles(effect);
    }
  }

  close(): Promise<void> {
    return this.#transfers.stopAll();
  }

  /**
   * The files are read for a backup once at a time. A link that breaks while they are has no use for the answer, and a new one asks
   * anew; if each began a read of its own, a slow disk and a link that comes and goes would fill the memory.
   */
  #feed(effect: Extract<FeedEffect, { kind: 'feed' }>): void {
    const { peer } = effect;
    if (this.#reading.has(peer)) this.#reading.set(peer, effect);
    else if (this.#fromMemory(effect)) this.#given.delete(peer);
    else void this.#readFor(peer, effect);
  }

  async #readFor(peer: NodeId, effect: FramesEffect): Promise<void> {
    this.#reading.set(peer, undefined);
    const departure = this.#parts.pace.depart();
    const resting = this.#giveWay(peer);
    if (resting !== undefined) await resting;
    await this.#fromFiles(effect, departure);
    const next = this.#reading.get(peer);
    this.#reading.delete(peer);
    if (next?.kind === 'feed') this.#feed(next);
  }

  /** Leaves time to clients between two reads. */
  #giveWay(peer: NodeId): Promise<void> | undefined {
    const given = this.#given.get(peer);
    if (given === undefined) return undefined;
    const { pace } = this.#parts;
    given.grownBytes += pace.grownBytes(given.departure);
    return GAINED_TIMES * given.grownBytes <= given.bytes ? pace.rest(given.departure) : undefined;
  }

  #fromMemory(effect: FramesEffect): boolean {
    const kept = this.#parts.cache.after(effect.after, effect.bytesMax);
    if (kept !== undefined) this.#answer(effect, kept);
    return kept !== undefined;
  }

  async #fromFiles(effect: FramesEffect, departure?: Departure): Promise<void> {
    const { after, bytesMax } = effect;
    let frames: Extract<Input, { kind: 'fed' }>['frames'];
    try {
      frames = await this.#parts.log().read(after, bytesMax);
      if (departure !== undefined && effect.kind === 'feed' && typeof frames !== 'string')
        this.#noteGiven(effect.peer, sizeOf(frames).bytes, departure);
    } catch (error) {
      this.#parts.events.error({ err: error }, 'the log could not be read for a backup; it is tried again');
      frames = 'unreadable';
    }
    this.#answer(effect, frames);
  }

  #noteGiven(peer: NodeId, bytes: number, departure: Departure): void {
    const before = this.#given.get(peer) ?? { bytes: 0, grownBytes: 0 };
    this.#given.set(peer, {
      bytes: KEPT_OF_SUM * before.bytes + bytes,
      grownBytes: KEPT_OF_SUM * before.grownBytes,
      departure,
    });
  }

  #answer(effect: FramesEffect, frames: Extract<Input, { kind: 'fed' }>['frames']): void {
    const { after } = effect;
    if (effect.kind === 'feed') {
      this.#parts.input({ kind: 'fed', peer: effect.peer, link: effect.link, after, frames });
    } else if (frames !== 'unreadable') {
      this.#parts.input({ kind: 'supplied', link: effect.link, term: effect.term, after, frames });
    }
  }
}
