import { LF, QUOTE } from './byte.js';
import { QUOTED_BYTES_PER_BYTE_MAX, cut, isPlain, looksBare, writeEscaped } from './quoting.js';
import type { Rendering } from './reply-buffer.js';

/** Bytes of a value that are looked at, or shown, in one slice of work: less than a millisecond's. Escaping takes longer. */
const SLICE_BYTES = 256 * 1024;
const ESCAPED_SHARE = 4;

/** Room for one escaped slice, which is copied out of it: the memory of each would be four times what most need. */
const SCRATCH = Buffer.allocUnsafeSlow(QUOTED_BYTES_PER_BYTE_MAX * (SLICE_BYTES / ESCAPED_SHARE + 3) + 3);

const EMPTY = Buffer.alloc(0);
const ENDING = Buffer.from([LF]);

/**
 * A large value as a line of its own, made a slice at a time: first all of it is looked at, to know whether it stands bare. Then
 * it is escaped, or shown in its own bytes, which must never change.
 */
export class LineValue implements Rendering {
  readonly #bytes: Buffer;
  readonly #start: number;
  readonly #end: number;
  /** Everything before here was looked at. */
  #lookedTo: number;
  /** Everything before here was made; behind the value stands its line feed. */
  #madeTo: number;
  readonly #sliceBytes: number;
  #form: 'unknown' | 'bare' | 'quoted';

  /** The value is not empty. @param sliceBytes - at most what it is otherwise. */
  constructor(bytes: Buffer, start: number, end: number, sliceBytes = SLICE_BYTES) {
    this.#sliceBytes = sliceBytes;
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.#lookedTo = start;
    this.#madeTo = start;
    this.#form = looksBare(bytes, start, end) ? 'unknown' : 'quoted';
  }

  get waitingBytes(): number {
    return this.#end + 1 - this.#madeTo;
  }

  next(): Buffer {
    if (this.#form === 'unknown') return this.#look();
    return this.#form === 'bare' ? this.#showBare() : this.#showQuoted();
  }

  #look(): Buffer {
    const to = cut(this.#bytes, this.#lookedTo + this.#sliceBytes, this.#end);
    if (!isPlain(this.#bytes, this.#lookedTo, to, true)) this.#form = 'quoted';
    else if (to === this.#end) this.#form = 'bare';
    this.#lookedTo = to;
    return EMPTY;
  }

  #showBare(): Buffer {
    const from = this.#madeTo;
    if (from === this.#end) {
      this.#madeTo++;
      return ENDING;
    }
    this.#madeTo = Math.min(from + this.#sliceBytes, this.#end);
    return this.#bytes.subarray(from, this.#madeTo);
  }

  #showQuoted(): Buffer {
    const from = this.#madeTo;
    const to = cut(this.#bytes, from + this.#sliceBytes / ESCAPED_SHARE, this.#end);
    const target = SCRATCH;
    let length = 0;
    if (from === this.#start) target[length++] = QUOTE;
    length = writeEscaped(target, length, this.#bytes, from, to);
    this.#madeTo = to;
    if (to === this.#end) {
      target[length++] = QUOTE;
      target[length++] = LF;
      this.#madeTo++;
    }
    return Buffer.from(target.subarray(0, length));
  }
}
