const CHUNK_BYTES_MIN = 4096;
/** Room is doubled up to this, and then taken piece by piece: no reply is ever moved as a whole to make room. */
const CHUNK_BYTES_MAX = 256 * 1024;
/** A buffer that grew past this is let go once it was sent. */
const KEPT_BYTES_MAX = 64 * 1024;

/**
 * The bytes that wait to be sent to one client, replies of both framings one behind the other.
 *
 * They lie in pieces, so that a long list costs each byte one move. What was written last can be taken back, and bytes
 * can be put in front of it: the head of a list whose length nobody knew beforehand.
 */
export class ReplyBuffer {
  /** Complete, in order, `#piecesLength` bytes in all. */
  #pieces: Buffer[] = [];
  #piecesLength = 0;
  /** Being written: bytes `#start` to `#end` of it come behind the pieces. */
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES_MIN);
  #start = 0;
  #end = 0;

  /** Bytes that wait. */
  get length(): number {
    return this.#piecesLength + this.#end - this.#start;
  }

  /** The bytes to send, borrowed until the next call of `taken`. */
  peek(): readonly Buffer[] {
    if (this.#end === this.#start) return this.#pieces;
    return [...this.#pieces, this.#chunk.subarray(this.#start, this.#end)];
  }

  /**
   * Begins anew after the bytes of `peek` were handed on.
   *
   * @param stillInUse - whether somebody holds them yet; they are then left alone.
   */
  taken(stillInUse: boolean): void {
    this.#pieces = [];
    this.#piecesLength = 0;
    this.#start = 0;
    this.#end = 0;
    if (stillInUse || this.#chunk.length > KEPT_BYTES_MAX) {
      this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES_MIN);
    }
  }

  /** Takes back everything behind the first `mark` bytes. */
  rollBack(mark: number): void {
    while (mark < this.#piecesLength) {
      const piece = this.#pieces.pop();
      if (piece === undefined) throw new Error('a reply buffer does not have the length of its pieces');
      this.#piecesLength -= piece.length;
      // What is left of the last piece is the chunk from now on; nobody was shown what stood behind it.
      this.#chunk = piece;
      this.#start = 0;
      this.#end = Math.max(0, mark - this.#piecesLength);
    }
    this.#end = this.#start + mark - this.#piecesLength;
  }

  /** Puts bytes in front of everything behind the first `mark` bytes. */
  insert(mark: number, bytes: Buffer): void {
    this.#closePiece();
    let at = 0;
    let before = 0;
    while (at < this.#pieces.length && before + (this.#pieces[at]?.length ?? 0) <= mark) {
      before += this.#pieces[at++]?.length ?? 0;
    }
    const piece = this.#pieces[at];
    if (piece === undefined || before === mark) this.#pieces.splice(at, 0, bytes);
    else this.#pieces.splice(at, 1, piece.subarray(0, mark - before), bytes, piece.subarray(mark - before));
    this.#piecesLength += bytes.length;
  }

  /**
   * Room for `size` bytes at a stretch: written into {@link room} from {@link at} on, and then counted with
   * {@link advance}.
   */
  reserve(size: number): void {
    if (this.#chunk.length - this.#end >= size) return;
    const next = Math.min(CHUNK_BYTES_MAX, this.#chunk.length * 2);
    this.#closePiece();
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(size, next));
    this.#start = 0;
    this.#end = 0;
  }

  get room(): Buffer {
    return this.#chunk;
  }

  get at(): number {
    return this.#end;
  }

  /** Says that the reserved room was written up to `end`. */
  advance(end: number): void {
    this.#end = end;
  }

  /** Writes text that is ASCII. */
  ascii(text: string): void {
    this.reserve(text.length);
    this.#end += this.#chunk.write(text, this.#end, 'latin1');
  }

  utf8(text: string): void {
    this.reserve(Buffer.byteLength(text));
    this.#end += this.#chunk.write(text, this.#end, 'utf8');
  }

  copy(bytes: Buffer, start = 0, end = bytes.length): void {
    this.reserve(end - start);
    this.#end += bytes.copy(this.#chunk, this.#end, start, end);
  }

  byte(byte: number): void {
    this.reserve(1);
    this.#chunk[this.#end++] = byte;
  }

  #closePiece(): void {
    if (this.#end === this.#start) return;
    this.#pieces.push(this.#chunk.subarray(this.#start, this.#end));
    this.#piecesLength += this.#end - this.#start;
    this.#start = this.#end;
  }
}
