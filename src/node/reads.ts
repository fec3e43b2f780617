import { turn } from '../clock.js';
import { refusal } from '../engine.js';
import type {
  ByteRange,
  KeyBatch,
  ReadOutcome,
  Refusal,
  Role,
  ScanBounds,
  ScanPage,
  ValueSink,
} from '../engine.js';
import {
  holdsLease,
  isWholeCluster,
  primaryAddress,
  readObjection,
  serviceOf,
} from '../replication/standing.js';
import type { ReplicaState } from '../replication/state.js';
import type { Stretch } from '../store/store.js';
import type { Assembly } from './assembly.js';
import type { ReplicaEngineParts } from './engine-parts.js';
import { WORK_A_SLICE, lostWhileRead, readSlice, tooFarBehind, tooMuch, unsure } from './reading.js';
import { behindMs } from './status.js';

/** So many keys are read in one turn; more of them in slices, with the lock held. */
const KEYS_AT_ONCE = 1000;
/** How long a read waits for the primary to be sure that it still is one. */
const CONFIRM_MS = 2000;
const READS_WAITING_MAX = 100_000;

/** What is read of a node's store, as far as the node's place in the cluster allows it in that moment. */
export class Reads {
  readonly #parts: ReplicaEngineParts;
  readonly #assembly: Assembly;
  #readsWaiting = 0;

  constructor(parts: ReplicaEngineParts, assembly: Assembly) {
    this.#parts = parts;
    this.#assembly = assembly;
  }

  get #state(): ReplicaState {
    return this.#assembly.replica.state;
  }

  read(key: ByteRange, sink: ValueSink): ReadOutcome {
    const outcome = this.#readOutcome();
    if (outcome === 'answered') this.#parts.store.read(key, sink);
    return outcome;
  }

  readEach(keys: KeyBatch, sink: ValueSink): ReadOutcome {
    const outcome = this.#readOutcome();
    if (outcome === 'answered') this.#parts.store.readEach(keys, sink);
    return outcome;
  }

  /** `answered`: what the store holds now may be shown, and nobody is changing it. */
  #readOutcome(): ReadOutcome {
    const { store } = this.#parts;
    const standing = this.#readStanding();
    const isBetweenEntries = this.#assembly.applying.isBetweenEntries;
    if (standing === 'unsure' && isBetweenEntries) return unsure();
    if (standing === 'unsure') return 'wait';
    if (standing !== 'sure') return standing;
    return store.lock.isWritten && !isBetweenEntries ? 'wait' : 'answered';
  }

  /** Whether what the store holds may be shown now. `unsure`: only once others have confirmed that this node is the primary. */
  #readStanding(): 'sure' | 'unsure' | Refusal {
    const failed = this.#assembly.refusal();
    if (failed !== undefined) return failed;
    const state = this.#state;
    const { office } = state;
    if (office.kind === 'primary' && office.isServing) {
      const isApplied = this.#assembly.applying.end.index >= office.opening;
      if (isApplied && isWholeCluster(state)) return 'sure';
      const trustedFromMs = this.#assembly.clocks.trustedFromMs();
      const isSure = isApplied && holdsLease(state, office, this.#parts.clock.nowMs(), trustedFromMs);
      return isSure ? 'sure' : 'unsure';
    }
    const objection = readObjection(state, this.#assembly.hint) ?? this.#lagObjection();
    return objection === undefined || this.#mayReadAhead ? 'sure' : objection;
  }

  /** Of a backup that may show what is too old. */
  #lagObjection(): Refusal | undefined {
    const { readsBehindMaxMs, clock } = this.#parts;
    if (readsBehindMaxMs === undefined) return undefined;
    const behind = behindMs(this.#assembly, clock.nowMs());
    if (behind !== undefined && behind <= readsBehindMaxMs) return undefined;
    return tooFarBehind(this.#primaryAddress, behind);
  }

  get #primaryAddress(): string | undefined {
    return primaryAddress(this.#state) ?? this.#assembly.hint;
  }

  /** Before the office is taken, where a full disk has no room for what that takes. */
  get #mayReadAhead(): boolean {
    const { room, holdsEverything } = this.#assembly;
    return room.isFull && serviceOf(this.#state) === 'waiting' && holdsEverything;
  }

  readAll(keys: readonly ByteRange[], sink: ValueSink, done: (refused?: Refusal) => void): void {
    const { store } = this.#parts;
    const standing = this.#readStanding();
    const isBetweenEntries = this.#assembly.applying.isBetweenEntries;
    const isFree = isBetweenEntries || !store.lock.isWritten;
    if (standing !== 'sure' && standing !== 'unsure') {
      done(standing);
    } else if (standing === 'unsure' && isBetweenEntries) {
      done(unsure());
    } else if (standing === 'sure' && isFree && keys.length <= KEYS_AT_ONCE) {
      readSlice(store, keys, 0, sink, Infinity);
      done(sink.isFull ? tooMuch() : undefined);
    } else if (this.#readsWaiting >= READS_WAITING_MAX) {
      done(refusal('BUSY', 'too many reads wait: try again in a moment'));
    } else {
      this.#readsWaiting++;
      this.#readLater(keys, sink)
        .catch((error: unknown) => refusal('BUSY', error instanceof Error ? error.message : String(error)))
        .then(
          (refused) => {
            this.#readsWaiting--;
            done(refused);
          },
          () => undefined,
        );
    }
  }

  async #readLater(keys: readonly ByteRange[], sink: ValueSink): Promise<Refusal | undefined> {
    const { store, clock } = this.#parts;
    const asked = this.#state.office.kind;
    const before = await this.#confirm(asked);
    if (before !== undefined) return before;
    await store.lock.read();
    try {
      // While this waited for the lock the office may have been lost.
      const standing = this.#standingAs(asked);
      if (standing !== 'sure') return standing === 'unsure' ? unsure() : standing;
      for (let at = 0; ;) {
        at = readSlice(store, keys, at, sink, WORK_A_SLICE);
        if (sink.isFull) return tooMuch();
        if (at === keys.length) return undefined;
        await turn(clock);
      }
    } finally {
      store.lock.releaseRead();
    }
  }

  /**
   * As {@link #readStanding}, of a read that was taken up while this node had an office. What was asked of a primary is not answered by
   * the backup that it became meanwhile, which may show less than was acknowledged before the read began.
   */
  #standingAs(asked: Role): 'sure' | 'unsure' | Refusal {
    const standing = this.#readStanding();
    const isLost = asked === 'primary' && this.#state.office.kind !== 'primary';
    return isLost && standing === 'sure' ? lostWhileRead(this.#primaryAddress) : standing;
  }

  /** Waits until it is sure that a read may be answered here. */
  async #confirm(asked = this.#state.office.kind): Promise<Refusal | undefined> {
    const { clock } = this.#parts;
    const untilMs = clock.nowMs() + CONFIRM_MS;
    let standing = this.#standingAs(asked);
    if (standing === 'unsure') this.#assembly.replica.input({ kind: 'confirm reads' });
    for (standing = this.#standingAs(asked); standing === 'unsure'; standing = this.#standingAs(asked)) {
      if (clock.nowMs() >= untilMs) return unsure();
      await this.#assembly.nextStep();
    }
    return standing === 'sure' ? undefined : standing;
  }

  async *scan(cursor: number, bounds: ScanBounds = {}): AsyncGenerator<ScanPage | Refusal> {
    const { store, clock } = this.#parts;
    const asked = this.#state.office.kind;
    const before = await this.#confirm(asked);
    if (before !== undefined) {
      yield before;
      return;
    }
    // Fixed when the walk begins: keys that come later cannot make it longer.
    let stretch: Stretch | undefined;
    for (let from = cursor; ;) {
      // A page is read within a turn, and so without the lock unless somebody writes.
      const isWritten = store.lock.isWritten;
      if (isWritten) await store.lock.read();
      stretch ??= store.stretch(from, bounds.keysMax ?? Infinity);
      const page = store.page(from, stretch.end, bounds.pageKeyBytesMax);
      if (isWritten) store.lock.releaseRead();
      // A walk takes a while, and the office may be lost meanwhile.
      const refused = await this.#confirm(asked);
      if (refused !== undefined) {
        yield refused;
        return;
      }
      yield { keys: page.keys, cursor: stretch.cursor };
      if (page.next >= stretch.end) return;
      from = page.next;
      await turn(clock);
    }
  }

  count(): number | Refusal {
    const standing = this.#readStanding();
    if (standing === 'unsure') return unsure();
    return standing === 'sure' ? this.#parts.store.count : standing;
  }
}
