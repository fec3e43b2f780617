import { copyBytes, viewOf } from '../copying.js';

const NO_BYTES = Buffer.alloc(0);
const CHUNK_BYTES_MIN = 4096;
/** Room is doubled up to this, and then taken piece by piece: no reply is ever moved as a whole to make room. */
const CHUNK_BYTES_MAX = 256 * 1024;
/** A buffer that grew past this is let go once it was sent. */
const KEPT_BYTES_MAX = 64 * 1024;

/** Bytes that are made a slice at a time, and only when they are about to be sent. */
export interface Rendering {
  /** What it counts for in the length of a buffer; 0 when everything was made, and only then. */
  readonly waitingBytes: number;
  /** Does one slice of the work. Empty when there is nothing to send of it yet. */
  next(): Buffer;
}

/** Bytes that nobody here may write to: what stands behind them in their memory is somebody else's. */
interface KeptBytes {
  readonly kept: Buffer;
}

type Piece = Buffer | KeptBytes | Rendering;

/**
 * The bytes that wait to be sent to one client, replies of both framings one behind the other.
 *
 * They lie in pieces, so that a long list costs each byte one move, and a large value none. What was written last can be
 * taken back, and bytes can be put in front of it: the head of a list whose length nobody knew beforehand.
 */
export class ReplyBuffer {
  /** Complete, in order, `#piecesLength` bytes in all. Those before `#head` were sent. */
  #pieces: (Piece | undefined)[] = [];
  #head = 0;
  #piecesLength = 0;
  /** Being written: bytes `#start` to `#end` of it come behind the pieces. */
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES_MIN);
  #view: DataView | undefined;
  /** What was taken last from the beginning of this chunk. */
  #first: Buffer = NO_BYTES;
  #start = 0;
  #end = 0;

  /** Bytes that wait. Those of a rendering count as what they are made of. */
  get length(): number {
    return this.#piecesLength + this.#end - this.#start;
  }

  /** Whether all that waits lies in one piece, or nothing does. */
  get isOnePiece(): boolean {
    const pieces = this.#pieces.length - this.#head;
    return pieces === 0 || (pieces === 1 && this.#end === this.#start);
  }

  /**
   * Takes the next bytes to send out of the buffer, `bytesMax` of them at most. Empty while a rendering has nothing to send
   * yet, though its work of one slice was done; and when the buffer is.
   */
  take(bytesMax: number): Buffer {
    const piece = this.#pieces[this.#head];
    if (piece === undefined) {
      const from = this.#start;
      this.#start = Math.min(this.#end, from + bytesMax);
      return from === 0 ? this.#firstBytes(this.#start) : this.#chunk.subarray(from, this.#start);
    }
    const before = lengthOf(piece);
    const bytes = isRendering(piece) ? piece.next() : bytesOf(piece).subarray(0, bytesMax);
    const rest = isRendering(piece) ? piece : restOf(piece, bytes.length);
    const after = lengthOf(rest);
    this.#piecesLength -= before - after;
    this.#pieces[this.#head] = after === 0 ? undefined : rest;
    if (after === 0) this.#dropHead();
    return bytes;
  }

  /** The same object where as much was taken the last time, as of replies of one length. */
  #firstBytes(length: number): Buffer {
    if (this.#first.length !== length) this.#first = this.#chunk.subarray(0, length);
    return this.#first;
  }

  /**
   * Begins anew after everything was taken.
   *
   * @param stillInUse - whether somebody holds some of it yet; that is then left alone.
   */
  taken(stillInUse: boolean): void {
    if (this.length > 0) return;
    this.#start = 0;
    this.#end = 0;
    if (stillInUse || this.#chunk.length > KEPT_BYTES_MAX) {
      this.#write(Buffer.allocUnsafeSlow(CHUNK_BYTES_MIN));
    }
  }

  /** Takes back everything behind the first `mark` bytes. */
  rollBack(mark: number): void {
    while (mark < this.#piecesLength) {
      const piece = this.#pieces.pop();
      if (piece === undefined) throw new Error('a reply buffer does not have the length of its pieces');
      this.#piecesLength -= lengthOf(piece);
      const left = Math.max(0, mark - this.#piecesLength);
      if (Buffer.isBuffer(piece)) {
        // What is left of the last piece is the chunk from now on; nobody was shown what stood behind it.
        this.#write(piece);
        this.#start = 0;
        this.#end = left;
      } else {
        if (left > 0) throw new Error('only whole replies are taken back');
        this.#end = this.#start;
      }
    }
    this.#end = this.#start + mark - this.#piecesLength;
  }

  /** Puts bytes in front of everything behind the first `mark` bytes. */
  insert(mark: number, bytes: Buffer): void {
    this.#closePiece();
    let at = this.#head;
    let before = 0;
    for (let piece = this.#pieces[at]; piece !== undefined; piece = this.#pieces[++at]) {
      if (before + lengthOf(piece) > mark) break;
      before += lengthOf(piece);
    }
    const piece = this.#pieces[at];
    if (piece === undefined || before === mark) this.#pieces.splice(at, 0, bytes);
    else if (!Buffer.isBuffer(piece)) throw new Error('nothing is put into the middle of a value');
    else this.#pieces.splice(at, 1, piece.subarray(0, mark - before), bytes, piece.subarray(mark - before));
    this.#piecesLength += bytes.length;
  }

  /** Adds bytes that never change, without a copy of them. */
  keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#closePiece();
    this.#pieces.push({ kept: bytes });
    this.#piecesLength += bytes.length;
  }

  /** Adds bytes that are made when they are about to be sent. */
  render(rendering: Rendering): void {
    if (rendering.waitingBytes === 0) return;
    this.#closePiece();
    this.#pieces.push(rendering);
    this.#piecesLength += rendering.waitingBytes;
  }

  /**
   * Room for `size` bytes at a stretch: written into {@link room} from {@link at} on, and then counted with
   * {@link advance}.
   */
  reserve(size: number): void {
    if (this.#chunk.length - this.#end >= size) return;
    const next = Math.min(CHUNK_BYTES_MAX, this.#chunk.length * 2);
    this.#closePiece();
    this.#write(Buffer.allocUnsafeSlow(Math.max(size, next)));
    this.#start = 0;
    this.#end = 0;
  }

  get room(): Buffer {
    return this.#chunk;
  }

  /** Of {@link room}. */
  get roomView(): DataView {
    return (this.#view ??= viewOf(this.#chunk));
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
    this.#end = copyBytes(bytes, start, end, this.#chunk, this.#end);
  }

  byte(byte: number): void {
    this.reserve(1);
    this.#chunk[this.#end++] = byte;
  }

  #write(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#view = undefined;
    this.#first = NO_BYTES;
  }

  #closePiece(): void {
    if (this.#end === this.#start) return;
    this.#pieces.push(this.#chunk.subarray(this.#start, this.#end));
    this.#piecesLength += this.#end - this.#start;
    this.#start = this.#end;
  }

  #dropHead(): void {
    if (++this.#head < this.#pieces.length) return;
    this.#pieces = [];
    this.#head = 0;
  }
}

function isRendering(piece: Piece): piece is Rendering {
  return 'next' in piece;
}

function bytesOf(piece: Buffer | KeptBytes): Buffer {
  return Buffer.isBuffer(piece) ? piece : piece.kept;
}

function lengthOf(piece: Piece): number {
  return isRendering(piece) ? piece.waitingBytes : bytesOf(piece).length;
}

/** What is left behind the first bytes of a piece. */
function restOf(piece: Buffer | KeptBytes, from: number): Buffer | KeptBytes {
  return Buffer.isBuffer(piece) ? piece.subarray(from) : { kept: piece.kept.subarray(from) };
}
