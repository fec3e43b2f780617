import { TextWord } from './json-words.js';

/** What a value is. Of a string the bytes stand in the word that it was read to. */
export type JsonKind = 'object' | 'list' | 'string' | 'other';

/** Is told what a scanner comes across. What it throws ends the scan. */
export interface JsonVisitor {
  /**
   * A value begins, or, where it is no object and no list, ends.
   *
   * @param depth - how many objects and lists it stands in.
   * @param name - of the member that it is; what it was last, in a list.
   * @param word - what a string holds.
   */
  value(depth: number, kind: JsonKind, name: TextWord, word: TextWord): void;
}

type Expecting = 'value' | 'value or end' | 'name' | 'name or end' | 'colon' | 'comma or end' | 'nothing';

const LF = 0x0a;
const CR = 0x0d;
const TAB = 0x09;
const SPACE = 0x20;
const QUOTE = 0x22;

/** Where in a number a byte stands, and what may follow there; a number may end where it says so. */
const NUMBER_STEPS: Record<string, { readonly isEnd: boolean; readonly next: Record<string, string> }> = {
  minus: { isEnd: false, next: { zero: 'zero', digit: 'digits' } },
  zero: { isEnd: true, next: { '.': 'point', e: 'exponent' } },
  digits: { isEnd: true, next: { zero: 'digits', digit: 'digits', '.': 'point', e: 'exponent' } },
  point: { isEnd: false, next: { zero: 'fraction', digit: 'fraction' } },
  fraction: { isEnd: true, next: { zero: 'fraction', digit: 'fraction', e: 'exponent' } },
  exponent: { isEnd: false, next: { zero: 'power', digit: 'power', '-': 'sign', '+': 'sign' } },
  sign: { isEnd: false, next: { zero: 'power', digit: 'power' } },
  power: { isEnd: true, next: { zero: 'power', digit: 'power' } },
};

/**
 * Reads any JSON as it comes in chunks, and holds nothing of it but the last name and the last string.
 *
 * Own code, because what was there to be had drops the character U+FEFF where a string begins with it.
 */
export class JsonScanner {
  readonly #visitor: JsonVisitor;
  readonly #name = new TextWord();
  readonly #word = new TextWord();
  /** What is open: whether it is an object, and not a list. */
  readonly #open: boolean[] = [];
  #expecting: Expecting = 'value';
  /** The string that is being read. */
  #reading: TextWord | undefined;
  /** What is left of `true`, `false` or `null`. */
  #literal = '';
  #number: string | undefined;

  constructor(visitor: JsonVisitor) {
    this.#visitor = visitor;
  }

  /** Takes the next bytes. Answers where they stop to be JSON, and -1 when they do not. */
  read(chunk: Buffer): number {
    for (let at = 0; at < chunk.length;) {
      const next = this.#readOn(chunk, at);
      if (next === -1) return at;
      at = next;
    }
    return -1;
  }

  /** Whether all that was read is one value. */
  end(): boolean {
    if (this.#number !== undefined && !this.#endNumber()) return false;
    return this.#expecting === 'nothing' && this.#literal === '';
  }

  #readOn(chunk: Buffer, at: number): number {
    if (this.#reading !== undefined) return this.#readWord(this.#reading, chunk, at);
    const byte = chunk[at] ?? 0;
    if (this.#literal !== '') return this.#readLiteral(byte) ? at + 1 : -1;
    if (this.#number !== undefined) {
      const next = NUMBER_STEPS[this.#number]?.next[numberPart(byte)];
      if (next === undefined) return this.#endNumber() ? at : -1;
      this.#number = next;
      return at + 1;
    }
    const isBlank = byte === SPACE || byte === LF || byte === CR || byte === TAB;
    return isBlank || this.#begin(byte) ? at + 1 : -1;
  }

  /** Takes the byte with which something begins, or that stands between. */
  #begin(byte: number): boolean {
    switch (this.#expecting) {
      case 'value or end':
        return byte === 0x5d ? this.#close() : this.#beginValue(byte);
      case 'value':
        return this.#beginValue(byte);
      case 'name or end':
        return byte === 0x7d ? this.#close() : this.#beginName(byte);
      case 'name':
        return this.#beginName(byte);
      case 'colon':
        this.#expecting = 'value';
        return byte === 0x3a;
      case 'comma or end':
        return this.#goOn(byte);
      case 'nothing':
        return false;
    }
  }

  #goOn(byte: number): boolean {
    const isObject = this.#open.at(-1) ?? false;
    if (byte === (isObject ? 0x7d : 0x5d)) return this.#close();
    this.#expecting = isObject ? 'name' : 'value';
    return byte === 0x2c;
  }

  #beginName(byte: number): boolean {
    if (byte !== QUOTE) return false;
    this.#name.begin();
    this.#reading = this.#name;
    return true;
  }

  #beginValue(byte: number): boolean {
    const part = numberPart(byte);
    if (byte === 0x7b || byte === 0x5b) this.#openContainer(byte === 0x7b);
    else if (byte === QUOTE) {
      this.#word.begin();
      this.#reading = this.#word;
    } else if (byte === 0x74) this.#literal = 'rue';
    else if (byte === 0x66) this.#literal = 'alse';
    else if (byte === 0x6e) this.#literal = 'ull';
    else if (part === '-') this.#number = 'minus';
    else if (part === 'zero') this.#number = 'zero';
    else if (part === 'digit') this.#number = 'digits';
    else return false;
    return true;
  }

  #openContainer(isObject: boolean): void {
    this.#visitor.value(this.#open.length, isObject ? 'object' : 'list', this.#name, this.#word);
    this.#open.push(isObject);
    this.#expecting = isObject ? 'name or end' : 'value or end';
  }

  #close(): boolean {
    this.#open.pop();
    this.#expecting = this.#open.length === 0 ? 'nothing' : 'comma or end';
    return true;
  }

  #endValue(kind: JsonKind): void {
    this.#visitor.value(this.#open.length, kind, this.#name, this.#word);
    this.#expecting = this.#open.length === 0 ? 'nothing' : 'comma or end';
  }

  #readWord(word: TextWord, chunk: Buffer, at: number): number {
    const stop = word.read(chunk, at);
    if (stop === -1 || stop === chunk.length) return stop;
    word.end();
    this.#reading = undefined;
    if (word === this.#name) this.#expecting = 'colon';
    else this.#endValue('string');
    // The quote as well.
    return stop + 1;
  }

  #readLiteral(byte: number): boolean {
    if (this.#literal.charCodeAt(0) !== byte) return false;
    this.#literal = this.#literal.slice(1);
    if (this.#literal === '') this.#endValue('other');
    return true;
  }

  #endNumber(): boolean {
    const isWhole = NUMBER_STEPS[this.#number ?? '']?.isEnd ?? false;
    this.#number = undefined;
    if (isWhole) this.#endValue('other');
    return isWhole;
  }
}

function numberPart(byte: number): string {
  if (byte === 0x30) return 'zero';
  if (byte > 0x30 && byte <= 0x39) return 'digit';
  return String.fromCharCode(byte).toLowerCase();
}
