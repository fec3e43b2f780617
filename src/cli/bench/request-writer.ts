const INITIAL_BYTES = 4096;
/** A buffer that grew past this is let go once it was sent. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024;
/** Heads, line endings and the digits of a key, with room to spare. */
const FRAMING_BYTES_MAX = 128;
const DIGIT_ZERO = 0x30;

const GET_HEAD = Buffer.from('*2\r\n$3\r\nGET\r\n$');
const PUT_HEAD = Buffer.from('*3\r\n$3\r\nPUT\r\n$');
const LINE_END = Buffer.from('\r\n');
const VALUE_HEAD = Buffer.from('\r\n$');

/**
 * Writes the requests that are to leave together one behind the other into one buffer, without an object for each: at depth
 * the generator must not take longer than the server.
 */
export class RequestWriter {
  readonly #prefix: Buffer;
  #bytes: Buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #length = 0;

  /** @param prefix - what every key begins with; the number of the key follows. */
  constructor(prefix: string) {
    this.#prefix = Buffer.from(prefix);
  }

  get length(): number {
    return this.#length;
  }

  get(keyIndex: number): void {
    this.#reserve(FRAMING_BYTES_MAX + this.#prefix.length);
    this.#copy(GET_HEAD);
    this.#key(keyIndex);
    this.#copy(LINE_END);
  }

  put(keyIndex: number, pool: Buffer, valueOffset: number, valueBytes: number): void {
    this.#reserve(FRAMING_BYTES_MAX + this.#prefix.length + valueBytes);
    this.#copy(PUT_HEAD);
    this.#key(keyIndex);
    this.#copy(VALUE_HEAD);
    this.#number(valueBytes, digitsOf(valueBytes));
    this.#copy(LINE_END);
    this.#length += pool.copy(this.#bytes, this.#length, valueOffset, valueOffset + valueBytes);
    this.#copy(LINE_END);
  }

  /** The bytes to send, borrowed until the next call of `taken`. */
  peek(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** @param stillInUse - whether somebody holds the bytes of `peek` yet; they are then left alone. */
  taken(stillInUse: boolean): void {
    this.#length = 0;
    if (stillInUse || this.#bytes.length > KEPT_BYTES_MAX)
      this.#bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  }

  #key(keyIndex: number): void {
    const digits = digitsOf(keyIndex);
    const length = this.#prefix.length + digits;
    this.#number(length, digitsOf(length));
    this.#copy(LINE_END);
    this.#copy(this.#prefix);
    this.#number(keyIndex, digits);
  }

  #number(value: number, digits: number): void {
    let rest = value;
    for (let at = this.#length + digits - 1; at >= this.#length; at--) {
      this.#bytes[at] = DIGIT_ZERO + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    this.#length += digits;
  }

  #copy(bytes: Buffer): void {
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let bound = 10; value >= bound; bound *= 10) digits++;
  return digits;
}
