const CASE_BIT = 0x20;

/**
 * How requests of one command in the RESP framing begin that have so many words: `*2 CRLF $3 CRLF GET CRLF $`, the name in any mix of
 * capitals. The length of the next word follows.
 */
export class RequestHead {
  readonly #bytes: Buffer;
  /** By byte: the bit that tells capitals apart where it is a letter of the name. */
  readonly #caseBits: Buffer;

  /** @param name - of letters only. */
  constructor(name: string, words: number) {
    const head = `*${String(words)}\r\n$${String(name.length)}\r\n${name.toLowerCase()}\r\n$`;
    this.#bytes = Buffer.from(head, 'latin1');
    this.#caseBits = Buffer.from(this.#bytes.map((byte) => (isLetter(byte) ? CASE_BIT : 0)));
  }

  get length(): number {
    return this.#bytes.length;
  }

  isAt(bytes: Buffer, from: number): boolean {
    const head = this.#bytes;
    if (from + head.length > bytes.length) return false;
    const caseBits = this.#caseBits;
    for (let place = 0; place < head.length; place++) {
      if (((bytes[from + place] ?? 0) | (caseBits[place] ?? 0)) !== head[place]) return false;
    }
    return true;
  }
}

function isLetter(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}
