import { isNumbering, isWrite } from '../commands/command.js';
import type { SessionCommand, WriteCommand } from '../commands/command.js';
import { findCommand } from '../commands/resolve.js';
import type { ByteRange, Engine, EntryBatch, Refusal, SessionTag, WriteObserver } from '../engine.js';
import type { Reply, Told } from '../protocol/reply.js';
import type { Framing, Request } from '../protocol/request.js';
import { Queue } from './pending.js';
import type { PendingWrite } from './pending.js';

/** How the opening of a session is answered, and how one of its writes being named. */
const OPENED = {
  answer: (reply: Reply, count: number): void => {
    reply.integer(count);
  },
};
const NAMED = {
  answer: (reply: Reply): void => {
    reply.ok();
  },
};

/** The writes of one connection on their way to the engine and back, and which of a session the next one is. */
export class Submissions implements WriteObserver {
  readonly #engine: Engine;
  readonly #settled: () => void;
  /** Writes of which the engine has not told the outcome, in the order in which it was given them. */
  readonly #unsettled = new Queue<PendingWrite>();
  #isSubmitting = false;
  /** What came of the write that is being submitted, if it was turned away at once. */
  #turnedAway: Refusal | undefined;
  /** So many of the next requests are not looked at together. */
  #aloneCount = 0;
  /** What the next write is in its session, or why it is not to be done. */
  #named: SessionTag | Told | undefined;

  /** @param settled - called whenever the outcome of a write was noted in it. */
  constructor(engine: Engine, settled: () => void) {
    this.#engine = engine;
    this.#settled = settled;
  }

  /** Hands a write to the engine. A refusal that comes at once is the answer. */
  write(command: WriteCommand, request: Request): PendingWrite | Told {
    const named = this.#named;
    this.#named = undefined;
    if (named !== undefined && 'code' in named) return named;
    this.#begin();
    this.#engine.write(command.operation(request), this, named);
    return this.#submitted(command, request.framing);
  }

  /** Whether it is worth looking for puts to be handed over together. To be asked once for each request. */
  takesTogether(): boolean {
    // The next write is one of a session, and no other.
    if (this.#named !== undefined) return false;
    if (this.#aloneCount === 0) return true;
    this.#aloneCount--;
    return false;
  }

  /**
   * Hands several puts to the engine. It may take fewer; none are undefined, and are to be handed over one by one.
   *
   * @param command - what each of them is, in RESP.
   */
  putEach(entries: EntryBatch, command: WriteCommand): PendingWrite | undefined {
    const count = this.#engine.putEach(entries, this);
    if (count === 0) {
      // They are not looked at again for each of them.
      this.#aloneCount = entries.keys.count - 1;
      return undefined;
    }
    const write = pending(command, 'resp', count);
    this.#unsettled.push(write);
    return write;
  }

  /** Opens a session, or names the next write, which has to wait for nothing but its turn to be answered. */
  number(command: SessionCommand, request: Request): PendingWrite | Told {
    const asked = command.asked(request);
    if (asked === 'open') {
      this.#begin();
      this.#engine.openSession(this);
      return this.#submitted(OPENED, request.framing);
    }
    this.#named = asked;
    return 'code' in asked ? asked : { ...pending(NAMED, request.framing), isSettled: true };
  }

  /**
   * A request was refused before it got here. If it was to name the next write, that one must not be done without its session; and if
   * it was the write that was named, the next one is another.
   */
  passedOver(name: ByteRange | undefined, refused: Told): void {
    const command = name === undefined ? undefined : findCommand(name);
    if (command === undefined) return;
    if (isNumbering(command)) this.#named = refused;
    else if (isWrite(command)) this.#named = undefined;
  }

  written(refused: Refusal | undefined, count: number): void {
    if (this.#isSubmitting) {
      this.#turnedAway = refused;
      return;
    }
    const write = this.#unsettled.shift();
    // The client may be gone; its writes take effect all the same.
    if (write === undefined) return;
    write.isSettled = true;
    write.refused = refused;
    write.count = count;
    this.#settled();
  }

  /** Nobody is left to answer. */
  clear(): void {
    this.#unsettled.clear();
  }

  #begin(): void {
    this.#turnedAway = undefined;
    this.#isSubmitting = true;
  }

  #submitted(answered: PendingWrite['answered'], framing: Framing): PendingWrite | Told {
    this.#isSubmitting = false;
    if (this.#turnedAway !== undefined) return this.#turnedAway;
    const write = pending(answered, framing);
    this.#unsettled.push(write);
    return write;
  }
}

function pending(answered: PendingWrite['answered'], framing: Framing, requests = 1): PendingWrite {
  return { kind: 'write', requests, framing, answered, isSettled: false, refused: undefined, count: 0 };
}
