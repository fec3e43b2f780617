import { refusal } from '../engine.js';
import { CR, LF } from './byte.js';
import { foreignLine } from './foreign.js';
import type { Foreign } from './foreign.js';
import { GrowingBytes } from './growing-bytes.js';
import { parseLine } from './line.js';
import type { LineGrammar } from './line.js';
import { tooLong } from './request.js';
import type { Request, Violation } from './request.js';
import type { Unread } from './unread.js';

/** Finds the lines in the bytes of one connection, and parses them. */
export class LineRequestReader {
  readonly #grammar: LineGrammar;
  /** The beginning of a line whose end has not arrived. */
  readonly #partial = new GrowingBytes();
  #isFirst = true;

  constructor(grammar: LineGrammar) {
    this.#grammar = grammar;
  }

  /** Bytes of a line that is not complete. */
  get partialBytes(): number {
    return this.#partial.length;
  }

  /** Lets go of a line that is not complete. */
  forget(): void {
    this.#partial.release();
  }

  /**
   * The next line; undefined when everything was read and its end has not come. `isEnded`: no more comes, and an
   * unterminated line is one too. `skipsEmpty`: an empty line is not answered.
   */
  read(unread: Unread, isEnded: boolean, skipsEmpty: boolean): Request | Violation | 'skipped' | undefined {
    const { requestBytesMax } = this.#grammar.limits;
    const { bytes, at: from } = unread;
    const lf = bytes.indexOf(LF, from);
    const to = lf === -1 ? bytes.length : lf + 1;
    if (this.#partial.length + to - from > requestBytesMax) return tooLong(this.#grammar.limits, 'line');
    if (lf !== -1 && this.#partial.length === 0) {
      unread.at = to;
      return this.#parse(bytes, from, to, skipsEmpty);
    }
    this.#partial.take(unread, to, requestBytesMax);
    if (lf === -1 && !isEnded) return undefined;
    const line = this.#partial.release();
    return this.#parse(line, 0, line.length, skipsEmpty);
  }

  /** Reads the line with its ending, if it has one. */
  #parse(bytes: Buffer, start: number, end: number, skipsEmpty: boolean): Request | Violation | 'skipped' {
    const isTerminated = bytes[end - 1] === LF;
    if (isTerminated) end -= end - 1 > start && bytes[end - 2] === CR ? 2 : 1;
    if (skipsEmpty && start === end) return 'skipped';
    const foreign = foreignLine(bytes, start, end, this.#isFirst);
    this.#isFirst = false;
    if (foreign !== undefined) return foreignViolation(foreign);
    return parseLine(bytes, start, end, isTerminated, this.#grammar);
  }
}

export function foreignViolation(foreign: Foreign): Violation {
  const message = `this looks like ${foreign}, and this port speaks lines and RESP: try PING`;
  return { refusal: refusal('SYNTAX', message), fatal: true, framing: 'line' };
}
