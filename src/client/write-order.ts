import type { Call, Place } from './call.js';
import { KvError } from './errors.js';
import type { ServerNode } from './server-node.js';
import type { WriteSession } from './write-session.js';

/** What keeps writes from being sent while no node is known that takes them. */
export type Obstacle = Pick<Place, 'trouble' | 'refusal'>;

/**
 * Has the writes of a client take effect in the order in which they were begun.
 *
 * Invariants: writes are under way at one node at a time. One that comes back goes again when none is under way, and
 * before all that were begun later; and not at all once one that was begun later has taken effect, or may have where it has
 * no number: then it ends with its refusal. So each time that a numbered write is sent, all that were begun before it and
 * are not known to be done are sent in front of it.
 */
export class WriteOrder implements Place {
  /** Came back from a node; all of them begun before any that is held. */
  readonly #returned = new Set<Call>();
  /** Whether one came back behind others that were begun later: it went first, alone. */
  #isOutOfOrder = false;
  /** Not given to any node yet, in order. */
  readonly #held = new Set<Call>();
  readonly #underWay = new Set<Call>();
  #node: ServerNode | undefined;
  /** The last write, by its place among the calls, of which it is not known that it had no effect. */
  #lastEffect = -1;
  readonly #obstacle: Obstacle;

  constructor(obstacle: Obstacle) {
    this.#obstacle = obstacle;
  }

  get isWaiting(): boolean {
    return this.#returned.size > 0 || this.#held.size > 0;
  }

  get trouble(): string | undefined {
    return this.#obstacle.trouble;
  }

  get refusal(): KvError | undefined {
    return this.#obstacle.refusal;
  }

  add(call: Call): void {
    call.place = this;
    this.#held.add(call);
  }

  /** Takes back a write that a node does not have, or that may be sent twice. */
  giveBack(call: Call): void {
    this.#underWay.delete(call);
    call.place = this;
    const [first] = this.#returned;
    this.#isOutOfOrder ||= first !== undefined && call.sequence < first.sequence;
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

  /** Whether anything may be given to this node now. */
  mayDispatchTo(node: ServerNode): boolean {
    if (!this.isWaiting) return false;
    return this.#underWay.size === 0 || (this.#node === node && this.#returned.size === 0);
  }

  /**
   * Gives the node everything that may be sent to it now.
   *
   * @param session - what the writes are numbered in. Those that find no number there wait.
   * @param isProven - whether the node took a write lately. Otherwise one goes first, alone: a node that refuses it and then
   *   becomes the primary must not have the next ones already.
   */
  dispatch(node: ServerNode, session: WriteSession | undefined, isProven: boolean): void {
    const goesAlone = !isProven && session !== undefined;
    if (!this.mayDispatchTo(node) || (goesAlone && this.#underWay.size > 0)) return;
    this.#node = node;
    this.#putInOrder();
    let most = goesAlone ? 1 : Infinity;
    const ended: (() => void)[] = [];
    for (const queue of [this.#returned, this.#held]) {
      for (const call of queue) {
        const end = this.#reasonToEnd(call, session);
        if (end === undefined && (most === 0 || !hasNumber(call, session))) {
          for (const work of ended) work();
          return;
        }
        queue.delete(call);
        call.place = undefined;
        if (end !== undefined) {
          ended.push(end);
          continue;
        }
        most--;
        this.#underWay.add(call);
        node.take(call);
      }
    }
    for (const work of ended) work();
  }

  #putInOrder(): void {
    if (!this.#isOutOfOrder) return;
    this.#isOutOfOrder = false;
    const inOrder = [...this.#returned].sort((a, b) => a.sequence - b.sequence);
    this.#returned.clear();
    for (const call of inOrder) this.#returned.add(call);
  }

  /** Everything that waits. */
  waiting(): Call[] {
    return [...this.#returned, ...this.#held];
  }

  /** How a call ends that may not be sent any more; undefined when it may. */
  #reasonToEnd(call: Call, session: WriteSession | undefined): (() => void) | undefined {
    if (call.sequence < this.#lastEffect) {
      return () => {
        endOvertaken(call);
      };
    }
    const { ticket } = call;
    if (ticket === undefined || ticket.session === session || !call.isSent) return undefined;
    return () => {
      endExpired(call);
    };
  }
}

/** Gives the call a number of this session, unless it has one. Whether it may be sent. */
function hasNumber(call: Call, session: WriteSession | undefined): boolean {
  if (session === undefined) call.setTicket(undefined);
  else if (call.ticket?.session !== session) {
    if (session.room <= 0) return false;
    call.setTicket(session.takeNumber());
  }
  return true;
}

function endOvertaken(call: Call): void {
  if (call.refusal === undefined) {
    call.fail('CONNECTION_LOST', 'the connection broke, and a write that was begun later was sent before');
  } else {
    const { code, message } = call.refusal;
    call.settle(new KvError(code, message, { outcomeUnknown: call.isSent, answered: true }));
  }
}

/** Ends a write that was sent in a session of which nobody knows any more what was done in it. */
export function endExpired(call: Call): void {
  const message = 'the session is over, and no server knows any more what was done in it';
  call.fail('SESSION_EXPIRED', message);
}
