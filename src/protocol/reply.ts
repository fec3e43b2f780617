import type { Refusal, ValueSink } from '../engine.js';

/**
 * How a command answers, whatever the framing. Exactly one answer for each request: one of the calls of the
 * first group, or `beginList`, items, `endList`.
 */
export interface Reply extends ValueSink {
  /** `OK`, or `OK name=value …`. */
  ok(fields?: string): void;
  /** A short text that stands for itself, such as `PONG`. */
  text(text: string): void;
  integer(value: number): void;
  error(refusal: Refusal): void;

  /** @param count - how many items there will be, where that is known beforehand. */
  beginList(count?: number): void;
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
