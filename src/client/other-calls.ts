import type { Call, Place } from './call.js';
import type { KvError } from './errors.js';
import type { ServerNode } from './server-node.js';
import type { ServerNodes } from './server-nodes.js';
import type { Obstacle } from './write-order.js';

export interface OtherCallsParts {
  readonly nodes: ServerNodes;
  /** Whether any node may answer reads. */
  readonly readsFromAny: boolean;
  /** Where all else goes, as far as it is known. */
  readonly target: () => ServerNode | undefined;
  /** It is not known, and a call waits. */
  readonly missing: () => void;
  readonly obstacle: Obstacle;
}

/** Calls that are no writes: where each goes, and what waits until that is known. */
export class OtherCalls implements Place {
  readonly #parts: OtherCallsParts;
  readonly #waiting = new Set<Call>();
  /** Where reads go that any node may answer. */
  #reader: ServerNode | undefined;

  constructor(parts: OtherCallsParts) {
    this.#parts = parts;
  }

  get trouble(): string | undefined {
    return this.#parts.obstacle.trouble;
  }

  get refusal(): KvError | undefined {
    return this.#parts.obstacle.refusal;
  }

  get reader(): ServerNode | undefined {
    return this.#reader;
  }

  /** The reader does not answer: another one is chosen, or this one takes its place. */
  leaveReader(node: ServerNode, next?: ServerNode): void {
    if (this.#reader === node) this.#reader = next;
  }

  send(call: Call): void {
    const target = call.only === undefined ? this.#targetOf(call) : this.#onlyTarget(call);
    if (target === 'gone') {
      call.fail('SCAN_INTERRUPTED', 'the server that the scan began at is out of reach: begin it anew');
    } else if (target !== undefined) {
      target.take(call);
    } else {
      this.hold(call);
      this.#parts.missing();
    }
  }

  hold(call: Call): void {
    call.place = this;
    this.#waiting.add(call);
  }

  remove(call: Call): void {
    this.#waiting.delete(call);
  }

  /** Everything that waits. */
  waiting(): Call[] {
    return [...this.#waiting];
  }

  sendWaiting(): void {
    const calls = this.waiting();
    this.#waiting.clear();
    for (const call of calls) this.send(call);
  }

  #targetOf(call: Call): ServerNode | undefined {
    if (call.request.effect === 'reads' && this.#parts.readsFromAny) {
      this.#reader ??= this.#parts.nodes.any();
      return this.#reader;
    }
    return this.#parts.target();
  }

  #onlyTarget({ only }: Call): ServerNode | 'gone' {
    const node = this.#parts.nodes.named(only?.name ?? '');
    if (node === undefined) return 'gone';
    return only?.incarnation === undefined || only.incarnation === node.incarnation ? node : 'gone';
  }
}
