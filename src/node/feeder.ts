import type { Index, NodeId } from '../engine.js';
import type { EventLog } from '../event-log.js';
import type { Effect, Input } from '../replication/state.js';
import type { FrameCache } from './frame-cache.js';
import type { Log, SnapshotSource, Snapshots } from './ports.js';

const PART_BYTES = 512 * 1024;

type FeedEffect = Extract<Effect, { kind: 'feed' | 'supply' | 'feed snapshot' | 'stop snapshot' }>;

export interface FeederParts {
  readonly cache: FrameCache;
  readonly snapshots: Snapshots;
  readonly events: EventLog;
  log(): Log;
  /** Writes the JSON file now. */
  takeSnapshot(): Promise<unknown>;
  input(input: Input): void;
}

/** Reads for backups what they lack: new frames from memory, older ones from the files, the whole map from the JSON file. */
export class Feeder {
  readonly #parts: FeederParts;
  readonly #sources = new Map<NodeId, SnapshotSource>();

  constructor(parts: FeederParts) {
    this.#parts = parts;
  }

  /** The log is needed from behind here on, for backups that are being sent a snapshot. */
  get neededFrom(): Index | undefined {
    const positions = [...this.#sources.values()].map(({ end }) => end.index);
    return positions.length === 0 ? undefined : (Math.min(...positions) as Index);
  }

  perform(effect: FeedEffect): void {
    if (effect.kind === 'stop snapshot') void this.#stop(effect.peer);
    else if (effect.kind === 'feed snapshot') void this.#feedSnapshot(effect);
    else this.#feed(effect);
  }

  async close(): Promise<void> {
    for (const peer of [...this.#sources.keys()]) await this.#stop(peer);
  }

  #feed(effect: Extract<FeedEffect, { kind: 'feed' | 'supply' }>): void {
    const { cache, events } = this.#parts;
    const { after, bytesMax } = effect;
    const answer = (frames: Extract<Input, { kind: 'fed' }>['frames']): void => {
      if (effect.kind === 'feed') {
        this.#parts.input({ kind: 'fed', peer: effect.peer, link: effect.link, after, frames });
      } else if (frames !== 'unreadable') {
        this.#parts.input({ kind: 'supplied', link: effect.link, term: effect.term, after, frames });
      }
    };
    const kept = cache.after(after, bytesMax);
    if (kept !== undefined) {
      answer(kept);
      return;
    }
    this.#parts
      .log()
      .read(after, bytesMax)
      .then(answer, (error: unknown) => {
        events.error({ err: error }, 'the log could not be read for a backup; it is tried again');
        answer('unreadable');
      });
  }

  async #feedSnapshot(effect: Extract<FeedEffect, { kind: 'feed snapshot' }>): Promise<void> {
    const { peer, link } = effect;
    try {
      const source = await this.#sourceFor(effect);
      const offset = source.end.index === effect.end?.index ? effect.offset : 0;
      const bytes = await source.read(offset, PART_BYTES);
      const isLast = offset + bytes.length >= source.size;
      this.#parts.input({ kind: 'fed snapshot', peer, link, end: source.end, offset, bytes, isLast });
    } catch (error) {
      this.#parts.events.error({ err: error }, 'the snapshot could not be read for a backup');
      await this.#stop(peer);
    }
  }

  async #sourceFor({ peer, end }: Extract<FeedEffect, { kind: 'feed snapshot' }>): Promise<SnapshotSource> {
    const open = this.#sources.get(peer);
    if (open !== undefined && end !== undefined) return open;
    await this.#stop(peer);
    if (this.#parts.snapshots.current === undefined) await this.#parts.takeSnapshot();
    const source = await this.#parts.snapshots.openCurrent();
    if (source === undefined) throw new Error('there is no snapshot to send');
    await this.#stop(peer);
    this.#sources.set(peer, source);
    return source;
  }

  async #stop(peer: NodeId): Promise<void> {
    const source = this.#sources.get(peer);
    this.#sources.delete(peer);
    await source?.close().catch(() => undefined);
  }
}
