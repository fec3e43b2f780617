import { crc32 } from 'node:zlib';
import type { OpenFile } from './files.js';
import { textTarget } from './json-escapes.js';
import type { TextTarget } from './json-escapes.js';

/**
 * What is written at once. Rendering it, its checksum and the call that writes it are the longest piece of work in one
 * turn, some tenths of a millisecond.
 */
export const CHUNK_BYTES = 128 * 1024;
/**
 * Of a file that is to become durable so much is synced at a time, beside what is written next. All of it at the end keeps the log's own
 * synced writes waiting that long: with 100 MB the longest answer to a SET of 1 KiB took 67 to 79 ms, and takes 36 to 45.
 */
export const SYNC_BYTES = 4 * 1024 * 1024;
/** Chunks that were written and are kept for what comes next. */
const FREE_CHUNKS_MAX = 4;

/** Something that does not fit into a chunk, and is rendered when its turn comes. */
export interface LargePiece {
  /** The memory that it keeps. */
  readonly bytes: number;
  /** Whether it belongs here. Asked once, before the rest; may take several turns. */
  belongs(): Promise<boolean>;
  readonly isAtEnd: boolean;
  /** Writes on until the chunk is full or all is written, and answers where it ends. */
  write(chunk: Buffer, at: number): number;
}

interface Chunk {
  readonly chunk: TextTarget;
  /** So much of it is to be written. */
  readonly bytes: number;
}

/** `list begins`: every item begins with a comma, and the comma of the first one that is written is left out. */
type Piece = Chunk | LargePiece | 'list begins' | 'list ends';

/**
 * Writes pieces to a file, one behind the other. A piece that is small is rendered into a chunk by the caller, a large one by
 * the output itself, a chunk at a time. Each chunk ends with a call of the file system, and so with a turn for everything else.
 *
 * After a failure everything else is dropped: the file is worth nothing.
 */
export class SnapshotOutput {
  /** Of what was written. */
  checksum = 0;
  /** What was added and is not written yet, without the chunk that is being filled. */
  waitingBytes = 0;
  /** How much of that is being written just now. */
  writingBytes = 0;
  /** The chunk that is being filled, and how far. */
  chunk = textTarget(CHUNK_BYTES);
  length = 0;
  readonly #open: () => Promise<OpenFile>;
  #file: OpenFile | undefined;
  #position = 0;
  #queue: Piece[] = [];
  #leavesCommaOut = false;
  #isEnded = false;
  #isWriting = false;
  #writing: Promise<void> = Promise.resolve();
  readonly #free: TextTarget[] = [];
  readonly #becomesDurable: boolean;
  #unsyncedBytes = 0;
  #syncing: Promise<void> | undefined;
  #syncFailure: { readonly error: unknown } | undefined;

  /**
   * @param open - called before the first piece is written.
   * @param becomesDurable - what was written is synced on the way, for `sync` at the end.
   */
  constructor(open: () => Promise<OpenFile>, becomesDurable = false) {
    this.#open = open;
    this.#becomesDurable = becomesDurable;
  }

  /** Undefined until something was written. */
  get file(): OpenFile | undefined {
    return this.#file;
  }

  /** Makes room for a piece of at most {@link CHUNK_BYTES} at the end of the chunk. */
  reserve(bytes: number): void {
    if (this.length + bytes > CHUNK_BYTES) this.send();
  }

  text(text: string): void {
    this.reserve(Buffer.byteLength(text));
    this.length += this.chunk.bytes.write(text, this.length);
  }

  large(piece: LargePiece): void {
    this.send();
    this.#add(piece, piece.bytes);
  }

  /** What comes next are the items of a list, each with a comma as its first byte. */
  beginList(): void {
    this.send();
    this.#add('list begins', 0);
  }

  endList(): void {
    this.send();
    this.#add('list ends', 0);
  }

  /** Lets what is in the chunk be written. */
  send(): void {
    if (this.length === 0) return;
    const { chunk, length } = this;
    this.chunk = this.#freeChunk();
    this.length = 0;
    this.#add({ chunk, bytes: length }, length);
  }

  /** Resolves when everything that was sent is written; rejects when a write failed. */
  async drained(): Promise<void> {
    await this.#writing;
  }

  /**
   * Makes everything that was written durable. Rejects also where that failed on the way: the kernel tells of a failure once, and the
   * next sync succeeds without what was lost.
   */
  async sync(): Promise<void> {
    await this.#syncing;
    this.#orFail();
    await this.#file?.sync();
  }

  /** Drops what waits, and resolves when nothing is being written or synced. */
  async end(): Promise<void> {
    this.#drop();
    await this.#writing.catch(() => undefined);
    await this.#syncing;
  }

  #add(piece: Piece, bytes: number): void {
    if (this.#isEnded) return;
    this.#queue.push(piece);
    this.waitingBytes += bytes;
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#writing = this.#writeAll();
    // The failure is told to whoever waits for `drained`.
    this.#writing.catch(() => undefined);
  }

  async #writeAll(): Promise<void> {
    try {
      this.#file ??= await this.#open();
      for (let piece = this.#queue.shift(); piece !== undefined; piece = this.#queue.shift()) {
        if (typeof piece === 'string') this.#leavesCommaOut = piece === 'list begins';
        else await this.#writePiece(this.#file, piece);
      }
    } catch (error) {
      this.#drop();
      throw error;
    } finally {
      this.#isWriting = false;
    }
  }

  async #writePiece(file: OpenFile, piece: Chunk | LargePiece): Promise<void> {
    this.writingBytes = piece.bytes;
    if ('chunk' in piece) await this.#write(file, piece.chunk, piece.bytes);
    else if (await piece.belongs()) {
      while (!piece.isAtEnd && !this.#isEnded) {
        const chunk = this.#freeChunk();
        await this.#write(file, chunk, piece.write(chunk.bytes, 0));
      }
    }
    this.writingBytes = 0;
    this.waitingBytes -= piece.bytes;
  }

  async #write(file: OpenFile, chunk: TextTarget, length: number): Promise<void> {
    const bytes = chunk.bytes.subarray(this.#leavesCommaOut ? 1 : 0, length);
    this.#leavesCommaOut = false;
    const position = this.#position;
    this.#position += bytes.length;
    this.checksum = crc32(bytes, this.checksum);
    await file.write(bytes, position);
    this.#orFail();
    this.#unsyncedBytes += bytes.length;
    if (this.#becomesDurable && this.#unsyncedBytes >= SYNC_BYTES) this.#syncing ??= this.#syncAhead(file);
    if (this.#free.length < FREE_CHUNKS_MAX) this.#free.push(chunk);
  }

  /** One at a time: a disk that takes longer is given more at once. Never rejects. */
  async #syncAhead(file: OpenFile): Promise<void> {
    this.#unsyncedBytes = 0;
    try {
      await file.sync();
    } catch (error) {
      this.#syncFailure = { error };
    }
    this.#syncing = undefined;
  }

  #orFail(): void {
    if (this.#syncFailure !== undefined) throw this.#syncFailure.error;
  }

  #freeChunk(): TextTarget {
    return this.#free.pop() ?? textTarget(CHUNK_BYTES);
  }

  #drop(): void {
    this.#isEnded = true;
    this.#queue = [];
  }
}
