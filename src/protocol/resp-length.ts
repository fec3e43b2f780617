import { CR, LF, MINUS } from './byte.js';
import type { Unread } from './unread.js';

/** `complete`: the number is in `value`, and its line was read. `incomplete`: everything was read, and more is due. */
export type LengthState = 'complete' | 'incomplete' | 'invalid';

const ZERO = 0x30;
const NINE = 0x39;
/** As many as a 64-bit integer has. */
const DIGITS_MAX = 19;

/**
 * Reads what stands behind the first byte of a RESP header: a whole number and CRLF, in as many pieces as it comes in.
 * As in Redis there is no plus sign, no zero in front, and no `-0`.
 */
export class LengthReader {
  /** Exact up to 2^53, and beyond that large enough to be past every bound. */
  value = 0;
  #digits = 0;
  #isNegative = false;
  #hasCr = false;

  read(unread: Unread, end: number): LengthState {
    const { bytes } = unread;
    while (unread.at < end) {
      const byte = bytes[unread.at++] ?? 0;
      if (byte === LF && this.#hasCr) return this.#complete();
      if (!this.#accepts(byte)) return 'invalid';
    }
    return 'incomplete';
  }

  #accepts(byte: number): boolean {
    if (this.#hasCr) return false;
    if (byte >= ZERO && byte <= NINE) return this.#acceptsDigit(byte - ZERO);
    if (byte === CR) return (this.#hasCr = this.#digits > 0);
    if (byte !== MINUS || this.#isNegative || this.#digits > 0) return false;
    return (this.#isNegative = true);
  }

  #acceptsDigit(digit: number): boolean {
    if (this.#digits === 0) {
      this.value = 0;
      if (digit === 0 && this.#isNegative) return false;
    } else if (this.value === 0 || this.#digits === DIGITS_MAX) {
      return false;
    }
    this.value = this.value * 10 + digit;
    this.#digits++;
    return true;
  }

  /** Leaves the value, and is ready for the next number. */
  #complete(): LengthState {
    if (this.#isNegative) this.value = -this.value;
    this.#digits = 0;
    this.#isNegative = false;
    this.#hasCr = false;
    return 'complete';
  }
}
