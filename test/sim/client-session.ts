import type { Operation, SessionTag } from '../../src/engine.js';

export type Outcome =
  { readonly kind: 'done'; readonly count: number } | { readonly kind: 'refused' | 'unknown' };

/** One write of a client, over all the times that it is sent. */
export interface ClientWrite {
  readonly label: string;
  /** By it the write is found in logs. */
  readonly unique: string;
  readonly operation: Operation;
  /** Under a session: its number there. */
  readonly number: number | undefined;
  /** How often it was sent without a word that it was not applied. */
  doubts: number;
  /** Told once, with what is known at the end. */
  record(outcome: Outcome): void;
}

/** So many writes of which nothing is known are left behind before a client waits for one of them. */
const PENDING_MAX = 3;

/** The session of one client: its writes that are not answered yet. */
export class ClientSession {
  /** Undefined until one was opened, and once it has expired. */
  id: number | undefined;
  readonly #pending = new Set<ClientWrite>();
  #lastNumber = 0;

  /** The oldest write that is to be sent again; undefined when there is none, or it need not be now. */
  toSendAgain(chance: number): ClientWrite | undefined {
    const [oldest] = this.#pending;
    return this.#pending.size >= PENDING_MAX || chance < 0.6 ? oldest : undefined;
  }

  nextNumber(): number {
    return ++this.#lastNumber;
  }

  begin(write: ClientWrite): void {
    this.#pending.add(write);
  }

  end(write: ClientWrite, outcome: Outcome): void {
    if (this.#pending.delete(write)) write.record(outcome);
  }

  tagOf({ number }: ClientWrite): SessionTag | undefined {
    if (this.id === undefined || number === undefined) return undefined;
    const waited = [...this.#pending].map((each) => each.number ?? number);
    return { session: this.id, number, lowest: Math.min(number, ...waited) };
  }

  /** Nobody waits for anything any more: what was sent may have happened, and may still. */
  giveUp(): void {
    for (const write of this.#pending) write.record({ kind: write.doubts > 0 ? 'unknown' : 'refused' });
    this.#pending.clear();
    this.#lastNumber = 0;
    this.id = undefined;
  }
}
