import type { Refusal, ValueSink } from '../engine.js';

/** A refusal as it is told to a client. */
export interface Told extends Refusal {
  /**
   * What Redis says in this case, its own code included: its clients look for these words. Told in RESP in the place of code
   * and message.
   */
  readonly redisError?: string;
}

/**
 * How a command answers, whatever the framing. Exactly one answer for each request: one of the calls of the
 * first group, or `beginList` or `beginMap`, items, `endList`.
 */
export interface Reply extends ValueSink {
  /** `OK`, or `OK name=value …`. */
  ok(fields?: string): void;
  /** A short text that stands for itself, such as `PONG`. */
  text(text: string): void;
  integer(value: number): void;
  error(told: Told): void;
  /** A text of many lines, such as INFO answers. */
  document(lines: readonly string[]): void;

  /**
   * Begins a list. Lists may stand in lists; where the framing has no such thing the items of the inner one stand among those
   * of the outer one.
   *
   * @param count - how many items there will be, where that is known beforehand.
   */
  beginList(count?: number): void;
  /** Begins a list of names and values in turn, `pairs` of them. */
  beginMap(pairs: number): void;
  key(bytes: Buffer, start: number, end: number): void;
  /** A text of the server's own, such as a line of STATUS. */
  item(text: string): void;
  endList(): void;

  /** Bytes that wait to be taken. */
  readonly length: number;
  /** Whether a list came to hold more than may wait for a client: roll back and answer with an error. */
  readonly isFull: boolean;
  /** Takes back everything that was written since `length` was `mark`. */
  rollBack(mark: number): void;
}
