const CASE_BIT = 0x20;
const WORD_BYTES = 4;

/**
 * How requests of one command in the RESP framing begin that have so many words: `*2 CRLF $3 CRLF GET CRLF $`, the name in any mix of
 * capitals. The length of the next word follows.
 */
export class RequestHead {
  readonly length: number;
  /** Where in it words of four bytes begin that are held against what is read. The last may overlap the one before. */
  readonly #offsets: readonly number[];
  readonly #words: Int32Array;
  /** By word: the bits that tell capitals apart where there are letters of the name. */
  readonly #caseBits: Int32Array;

  /** @param name - of letters only. */
  constructor(name: string, words: number) {
    const text = `*${String(words)}\r\n$${String(name.length)}\r\n${name.toLowerCase()}\r\n$`;
    const head = Buffer.from(text, 'latin1');
    const caseBits = Buffer.from(head.map((byte) => (isLetter(byte) ? CASE_BIT : 0)));
    const count = Math.ceil(head.length / WORD_BYTES);
    this.length = head.length;
    this.#offsets = Array.from({ length: count }, (_, at) =>
      Math.min(at * WORD_BYTES, head.length - WORD_BYTES),
    );
    this.#words = Int32Array.from(this.#offsets, (offset) => head.readInt32LE(offset));
    this.#caseBits = Int32Array.from(this.#offsets, (offset) => caseBits.readInt32LE(offset));
  }

  isAt(view: DataView, from: number): boolean {
    if (from + this.length > view.byteLength) return false;
    for (let word = 0; word < this.#words.length; word++) {
      const found = view.getInt32(from + (this.#offsets[word] ?? 0), true);
      if ((found | (this.#caseBits[word] ?? 0)) !== this.#words[word]) return false;
    }
    return true;
  }
}

function isLetter(byte: number): boolean {
  return byte >= 0x61 && byte <= 0x7a;
}
