import { refusal } from '../engine.js';
import { CR, LF } from './byte.js';
import { foreignLine } from './foreign.js';
import type { Foreign } from './foreign.js';
import { GrowingBytes } from './growing-bytes.js';
import { LineParser } from './line.js';
import type { LineGrammar } from './line.js';
import { TURN_BYTES, tooLong } from './request.js';
import type { Reading, Violation } from './request.js';
import type { Unread } from './unread.js';

/** Finds the lines in the bytes of one connection, and parses them. Neither takes long at a time. */
export class LineRequestReader {
  readonly #grammar: LineGrammar;
  /** The beginning of a line whose end has not arrived. */
  readonly #partial = new GrowingBytes();
  /** The end of the line has arrived, and it is put together. */
  #isJoining = false;
  #parser: LineParser | undefined;
  #isFirst = true;

  constructor(grammar: LineGrammar) {
    this.#grammar = grammar;
  }

  /** Whether a line was begun that was not answered. */
  get isBegun(): boolean {
    return this.#parser !== undefined || this.#partial.length > 0;
  }

  /** What it takes. */
  get partialBytes(): number {
    return this.#partial.length + (this.#parser?.heldBytes ?? 0);
  }

  /** Lets go of it. */
  forget(): void {
    this.#partial.release();
    this.#parser = undefined;
  }

  /**
   * The next line; undefined when its end has not come. `isEnded`: no more comes, and an unterminated line is one too.
   * `skipsEmpty`: an empty line is not answered.
   */
  read(unread: Unread, isEnded: boolean, skipsEmpty: boolean): Reading {
    if (this.#parser !== undefined) return this.#parse(this.#parser);
    if (this.#isJoining) return this.#join(skipsEmpty);
    const { requestBytesMax } = this.#grammar.limits;
    const { bytes, at: from } = unread;
    const lf = bytes.indexOf(LF, from);
    const to = lf === -1 ? bytes.length : lf + 1;
    if (this.#partial.length + to - from > requestBytesMax) return tooLong(this.#grammar.limits, 'line');
    if (lf !== -1 && this.#partial.length === 0) {
      unread.at = to;
      return this.#begin(bytes, from, to, skipsEmpty);
    }
    this.#partial.take(unread, to, requestBytesMax);
    return lf !== -1 || isEnded ? this.#join(skipsEmpty) : undefined;
  }

  #join(skipsEmpty: boolean): Reading {
    const line = this.#partial.join();
    this.#isJoining = line === undefined;
    return line === undefined ? 'unfinished' : this.#begin(line, 0, line.length, skipsEmpty);
  }

  /** Begins to parse the line with its ending, if it has one. */
  #begin(bytes: Buffer, start: number, end: number, skipsEmpty: boolean): Reading {
    const isTerminated = bytes[end - 1] === LF;
    if (isTerminated) end -= end - 1 > start && bytes[end - 2] === CR ? 2 : 1;
    if (skipsEmpty && start === end) return 'skipped';
    const foreign = foreignLine(bytes, start, end, this.#isFirst);
    this.#isFirst = false;
    if (foreign !== undefined) return foreignViolation(foreign);
    return this.#parse(new LineParser(bytes, start, end, isTerminated, this.#grammar));
  }

  #parse(parser: LineParser): Reading {
    const outcome = parser.read(TURN_BYTES);
    this.#parser = outcome === undefined ? parser : undefined;
    if (outcome === undefined) return 'unfinished';
    return 'refusal' in outcome ? { ...outcome, name: parser.name } : outcome;
  }
}

export function foreignViolation(foreign: Foreign): Violation {
  const message = `this looks like ${foreign}, and this port speaks lines and RESP: try PING`;
  return { refusal: refusal('SYNTAX', message), fatal: true, framing: 'line' };
}
