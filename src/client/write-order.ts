import type { Call, Place } from './call.js';
import type { ServerNode } from './server-node.js';

/**
 * Has the writes of a client take effect in the order in which they were begun.
 *
 * Invariants: writes are under way at one node at a time. One that comes back, refused or not sent, goes again when none
 * is under way, and before all that were begun later; and not at all once one that was begun later has taken effect or may
 * have: then it ends with its refusal.
 */
export class WriteOrder implements Place {
  /** Came back from a node, in order; all of them begun before any that is held. */
  readonly #returned = new Set<Call>();
  /** Not given to any node yet, in order. */
  readonly #held = new Set<Call>();
  readonly #underWay = new Set<Call>();
  #node: ServerNode | undefined;
  /** The last write, by its number, of which it is not known that it had no effect. */
  #lastEffect = -1;
  readonly #trouble: () => string | undefined;

  /** @param trouble - what keeps writes from being sent while no node is known that takes them. */
  constructor(trouble: () => string | undefined) {
    this.#trouble = trouble;
  }

  get isWaiting(): boolean {
    return this.#returned.size > 0 || this.#held.size > 0;
  }

  get trouble(): string | undefined {
    return this.#trouble();
  }

  add(call: Call): void {
    call.place = this;
    this.#held.add(call);
  }

  /** Takes back a write that a node does not have, and that had no effect there. */
  giveBack(call: Call): void {
    this.#underWay.delete(call);
    call.place = this;
    this.#returned.add(call);
  }

  /** The call had an effect, or may have, or may yet. */
  noteEffect(call: Call): void {
    this.#lastEffect = Math.max(this.#lastEffect, call.sequence);
  }

  remove(call: Call): void {
    this.#returned.delete(call);
    this.#held.delete(call);
    this.#underWay.delete(call);
  }

  /** Gives the node everything that may be sent to it now. */
  dispatch(node: ServerNode): void {
    if (this.#underWay.size > 0 && (this.#node !== node || this.#returned.size > 0)) return;
    this.#node = node;
    const due = [...this.#returned, ...this.#held];
    this.#returned.clear();
    this.#held.clear();
    const overtaken = due.filter((call) => call.sequence < this.#lastEffect);
    for (const call of due) {
      call.place = undefined;
      if (call.sequence < this.#lastEffect) continue;
      this.#underWay.add(call);
      node.take(call);
    }
    for (const call of overtaken) this.#endOvertaken(call);
  }

  /** Everything that waits, in order. */
  waiting(): Call[] {
    return [...this.#returned, ...this.#held];
  }

  #endOvertaken(call: Call): void {
    if (call.refusal !== undefined) call.settle(call.refusal);
    else
      call.fail('CONNECTION_LOST', 'the connection broke, and a write that was begun later was sent before');
  }
}
