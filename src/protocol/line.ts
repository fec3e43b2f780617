import type { ByteRange } from '../engine.js';
import { refusal } from '../engine.js';
import { QUOTE, isBlank } from './byte.js';
import { KeptBytes } from './kept-bytes.js';
import type { RequestLimits } from './limits.js';
import { QuotedWord } from './quoted-word.js';
import type { UnquoteFault } from './quoted-word.js';
import { WORD_BYTES, tooManyWords } from './request.js';
import type { Request, Violation } from './request.js';

/**
 * Line framing: one request a line, words between blanks, `"quoted words"` for anything else.
 *
 * The value of a command that takes the rest of the line (PUT) is everything behind one blank after the key,
 * verbatim, unless it starts with a quote.
 */
export interface LineGrammar {
  readonly limits: RequestLimits;
  /** Whether the command's second argument is the rest of the line. */
  takesRest(name: ByteRange): boolean;
}

/** A line that is no request, and where that shows. */
export interface LineViolation extends Violation {
  /** An offset into the line's bytes; its end where something is missing. */
  readonly at: number;
}

/** Which word of a command that takes the rest of the line is that rest. */
const REST_WORD = 2;

/** Reads one line, from `start` to `end`, without its line ending. */
export function parseLine(
  line: Buffer,
  start: number,
  end: number,
  terminated: boolean,
  grammar: LineGrammar,
): Request | LineViolation {
  const parser = new LineParser(line, start, end, terminated, grammar);
  for (;;) {
    const outcome = parser.read(Infinity);
    if (outcome !== undefined) return outcome;
  }
}

/** What is being read at the moment. `behind`: the blanks behind a quoted value. */
type Part = 'blanks' | 'bare word' | 'quoted word' | 'quoted value' | 'behind';

/** Reads one line, a bounded piece at a time. */
export class LineParser {
  readonly #line: Buffer;
  readonly #start: number;
  readonly #end: number;
  readonly #terminated: boolean;
  readonly #grammar: LineGrammar;
  readonly #words: ByteRange[] = [];
  #at: number;
  #part: Part = 'blanks';
  #takesRest = false;
  /** Where the bare word begins that is being read. */
  #from = 0;
  #quoted: QuotedWord | undefined;
  /** Holds the words that had to be changed. */
  #memory: KeptBytes | undefined;

  constructor(line: Buffer, start: number, end: number, terminated: boolean, grammar: LineGrammar) {
    this.#line = line;
    this.#start = start;
    this.#at = start;
    this.#end = end;
    this.#terminated = terminated;
    this.#grammar = grammar;
  }

  /** The first word, once it was read. */
  get name(): ByteRange | undefined {
    return this.#words[0];
  }

  /** What the line takes, and what is kept about its words. */
  get heldBytes(): number {
    return this.#end - this.#start + WORD_BYTES * this.#words.length + (this.#memory?.bytes ?? 0);
  }

  /** The outcome; undefined when there is none after about as many bytes as `workBytes`. */
  read(workBytes: number): Request | LineViolation | undefined {
    const stop = Math.min(this.#end, this.#at + workBytes);
    const wordsStop = this.#words.length + workBytes / WORD_BYTES;
    for (;;) {
      switch (this.#part) {
        case 'blanks':
          if (this.#takesRest && this.#words.length === REST_WORD) {
            const outcome = this.#beginValue();
            if (outcome !== undefined) return outcome;
            break;
          }
          this.#skipBlanks(stop);
          if (this.#at === this.#end) return this.#complete();
          if (this.#at >= stop || this.#words.length >= wordsStop) return undefined;
          if (this.#words.length === this.#grammar.limits.wordsMax) return this.#tooManyWords();
          this.#beginWord();
          break;
        case 'bare word':
          if (!this.#readBare(stop)) return undefined;
          break;
        case 'behind':
          this.#skipBlanks(stop);
          if (this.#at === this.#end) return this.#complete();
          if (this.#at >= stop) return undefined;
          return syntax('only blanks may follow the closing quote of the value', this.#at);
        default: {
          const outcome = this.#readQuoted(workBytes);
          if (outcome !== 'read') return outcome;
        }
      }
    }
  }

  #skipBlanks(stop: number): void {
    const line = this.#line;
    let at = this.#at;
    while (at < stop && isBlank(line[at])) at++;
    this.#at = at;
  }

  #beginWord(): void {
    if (this.#line[this.#at] === QUOTE) {
      this.#beginQuoted('quoted word', this.#at);
    } else {
      this.#from = this.#at;
      this.#part = 'bare word';
    }
  }

  #beginQuoted(part: Part, at: number): void {
    this.#quoted = new QuotedWord(this.#line, at, this.#end);
    this.#memory ??= new KeptBytes();
    this.#part = part;
  }

  /** The value begins one blank behind the key. */
  #beginValue(): Request | LineViolation | undefined {
    const from = this.#at + 1;
    if (from >= this.#end) {
      return syntax('the value is missing: PUT key value, or PUT key "" for an empty one', this.#end);
    }
    if (this.#line[from] === QUOTE) {
      this.#beginQuoted('quoted value', from);
      return undefined;
    }
    this.#words.push({ bytes: this.#line, start: from, end: this.#end });
    return this.#complete();
  }

  #readBare(stop: number): boolean {
    const line = this.#line;
    let at = this.#at;
    while (at < stop && !isBlank(line[at])) at++;
    this.#at = at;
    if (at === stop && stop < this.#end) return false;
    this.#endWord({ bytes: line, start: this.#from, end: at });
    return true;
  }

  #endWord(word: ByteRange): void {
    this.#words.push(word);
    if (this.#words.length === 1) this.#takesRest = this.#grammar.takesRest(word);
    this.#part = 'blanks';
  }

  #readQuoted(workBytes: number): LineViolation | 'read' | undefined {
    const quoted = this.#quoted;
    const memory = this.#memory;
    if (quoted === undefined || memory === undefined) return 'read';
    const word = quoted.read(workBytes, memory);
    if (word === undefined) return undefined;
    if (typeof word === 'string') return this.#faulty(word, quoted.faultAt);
    this.#quoted = undefined;
    this.#at = quoted.next;
    if (this.#part === 'quoted value') {
      this.#words.push(word);
      this.#part = 'behind';
    } else if (this.#at < this.#end && !isBlank(this.#line[this.#at])) {
      const which = String(this.#words.length + 1);
      return syntax(`word ${which} goes on behind its closing quote`, this.#at);
    } else {
      this.#endWord(word);
    }
    return 'read';
  }

  #faulty(fault: UnquoteFault, at: number): LineViolation {
    if (this.#part === 'quoted value') {
      return syntax(`${fault} in the value: a value that starts with a quote is one quoted word`, at);
    }
    return syntax(`${fault} in word ${String(this.#words.length + 1)}`, at);
  }

  #complete(): Request | LineViolation {
    if (this.#words.length > 0) return { words: this.#words, terminated: this.#terminated, framing: 'line' };
    return syntax('the line is empty: send a command, for example PING', this.#end);
  }

  #tooManyWords(): LineViolation {
    return { ...tooManyWords(this.#grammar.limits, 'line'), at: this.#at };
  }
}

function syntax(message: string, at: number): LineViolation {
  return { refusal: refusal('SYNTAX', message), fatal: false, framing: 'line', at };
}
