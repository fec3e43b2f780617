/** How many numbers, from the lowest that is waited for on, a server keeps the answers of. */
export const SESSION_WRITES_MAX = 1_024;

/** Under which number of which session a write is sent, each time that it is. */
export interface Ticket {
  readonly session: WriteSession;
  readonly number: number;
}

/**
 * A session that the servers know: a write that is sent twice under one number of it is done once, and answered the second
 * time as it was the first time.
 *
 * Invariant: lowest <= each number that is waited for < next <= lowest + {@link SESSION_WRITES_MAX}.
 */
export class WriteSession {
  readonly #head: string;
  #next = 1;
  /** The lowest number whose answer somebody waits for, or the next one. */
  #lowest = 1;
  /** Which of the numbers from the lowest on nobody waits for, each at its place modulo the length. */
  readonly #isReleased = new Uint8Array(SESSION_WRITES_MAX);
  /** The servers know it no more. */
  isExpired = false;

  constructor(id: number) {
    this.#head = `*4\r\n${bulk('SESSION')}${bulk(String(id))}`;
  }

  /** How many writes may be given a number now. */
  get room(): number {
    return this.#lowest + SESSION_WRITES_MAX - this.#next;
  }

  takeNumber(): Ticket {
    return { session: this, number: this.#next++ };
  }

  /** Nobody waits for the answer any more: whatever of the write is still on its way must not be done behind later ones. */
  release(number: number): void {
    this.#isReleased[number % SESSION_WRITES_MAX] = 1;
    while (this.#isReleased[this.#lowest % SESSION_WRITES_MAX] === 1) {
      this.#isReleased[this.#lowest % SESSION_WRITES_MAX] = 0;
      this.#lowest++;
    }
  }

  /** What stands in front of the write, on the wire. */
  preface(number: number): Buffer {
    return Buffer.from(`${this.#head}${bulk(String(number))}${bulk(String(this.#lowest))}`, 'latin1');
  }
}

/** Every write has one of these in front, so it is made of as few pieces as it can be. */
function bulk(word: string): string {
  return `$${String(word.length)}\r\n${word}\r\n`;
}
