import { isUtf8 } from 'node:buffer';
import { turn } from '../clock.js';
import type { Clock } from '../clock.js';
import { LASTING_BYTES_MIN, copyRange } from '../engine.js';
import type { ByteRange } from '../engine.js';
import type { Files, OpenFile } from './files.js';
import { Base64Source, ESCAPE_BYTES_MAX, RawSource, TextSource, isText, writeText } from './json-escapes.js';
import type { Source, TextTarget } from './json-escapes.js';
import {
  BINARY_CLOSES,
  BINARY_OPENS,
  DATA_CLOSES,
  DATA_OPENS,
  SESSIONS_CLOSES,
  SESSIONS_OPENS,
  checksumText,
  countText,
  headLine,
  sessionText,
} from './snapshot-format.js';
import type { SnapshotHead } from './snapshot-format.js';
import { CHUNK_BYTES, SnapshotOutput } from './snapshot-output.js';
import type { LargePiece } from './snapshot-output.js';

/** Key and value of at most so many bytes are rendered while they are borrowed. Such a pair fits into a chunk whatever is in it. */
export const SMALL_PAIR_BYTES_MAX = 16 * 1024;
/** What stands around and between the words of a pair. */
const FRAME_BYTES_MAX = 16;
/** Past this the walk waits. So it is also how much is rendered in one turn at most, but for one pair. */
export const WAITING_BYTES_MAX = 256 * 1024;
/** Past this behind what is being written, also what changes has to wait, whose old value would be written first. */
export const FULL_BYTES = 1024 * 1024;

const COMMA = 0x2c;
const LF = 0x0a;
const QUOTE = 0x22;
const COLON = 0x3a;

/** Writes one snapshot to a file of its own. Nobody sees the file before the caller renames it. */
export class SnapshotWriter {
  readonly #files: Files;
  readonly #path: string;
  readonly #file: OpenFile;
  readonly #clock: Clock | undefined;
  readonly #data: SnapshotOutput;
  /** Binary pairs stand behind all others, and the walk meets them in between: they wait in a file. */
  readonly #binary: SnapshotOutput;
  /** Sessions stand behind everything else, and the walk meets them in between as well. */
  readonly #sessions: SnapshotOutput;
  #hasSessions = false;
  #count = 0;
  #binaryCount = 0;

  private constructor(files: Files, path: string, file: OpenFile, clock: Clock | undefined) {
    this.#files = files;
    this.#path = path;
    this.#file = file;
    this.#clock = clock;
    this.#data = new SnapshotOutput(() => Promise.resolve(file), true);
    this.#binary = new SnapshotOutput(() => files.create(this.#binaryPath));
    this.#sessions = new SnapshotOutput(() => files.create(this.#sessionsPath));
  }

  /** @param clock - gives others a turn while large values are looked at; without one nobody is served meanwhile. */
  static async create(files: Files, path: string, clock?: Clock): Promise<SnapshotWriter> {
    return new SnapshotWriter(files, path, await files.create(path), clock);
  }

  /** Says which position the entries to come are the map of. Called once, before the first. */
  start(head: SnapshotHead): void {
    this.#hasSessions = head.hasSessions;
    this.#data.text(`${headLine(head)}${DATA_OPENS}`);
    this.#data.beginList();
    if (this.#hasSessions) this.#sessions.beginList();
  }

  /** Takes one session, where the head says that there are some. */
  addSession(id: number, lowest: number, answers: Int32Array): void {
    if (!this.#hasSessions) throw new Error('the head of this snapshot says that there are no sessions');
    this.#sessions.text(sessionText(id, lowest, answers));
  }

  /**
   * Takes one entry. What is borrowed is rendered or copied before this returns. A value that is lasting may be kept and rendered
   * later, so that the longest one takes no longer in one turn than a short one.
   */
  add(key: ByteRange, value: ByteRange): void {
    this.#count++;
    const keyBytes = key.end - key.start;
    const valueBytes = value.end - value.start;
    if (keyBytes + valueBytes > SMALL_PAIR_BYTES_MAX) {
      const lasting = valueBytes >= LASTING_BYTES_MIN ? value : copyRange(value);
      this.#data.large(this.#textPiece(copyRange(key), lasting));
      return;
    }
    this.#data.reserve(ESCAPE_BYTES_MAX * (keyBytes + valueBytes) + FRAME_BYTES_MAX);
    const end = writePair(key, value, this.#data.chunk, this.#data.length);
    if (end === -1) this.#addBinary(key, value);
    else this.#data.length = end;
  }

  /** Whether as much waits as may: wait for `drained` before the next entry. */
  get backedUp(): boolean {
    return this.#waitingBytes >= WAITING_BYTES_MAX;
  }

  /**
   * Whether also an entry that changes has to wait. More may wait by then than the walk lets, and a long value that is being
   * written does not count: it must not hold up every write for as long as that takes.
   */
  get isFull(): boolean {
    const writingBytes = this.#data.writingBytes + this.#binary.writingBytes + this.#sessions.writingBytes;
    return this.#waitingBytes - writingBytes >= FULL_BYTES;
  }

  /** Resolves when nothing waits any more; rejects when a write failed. */
  async drained(): Promise<void> {
    await this.#data.drained();
    // Large values that turned out to be binary have moved there.
    await this.#binary.drained();
    await this.#sessions.drained();
  }

  /** Completes the file and makes it durable. */
  async finish(): Promise<void> {
    this.#data.endList();
    await this.#data.drained();
    this.#data.text(`\n${DATA_CLOSES}\n${BINARY_OPENS}`);
    if (this.#binaryCount > 0) await this.#copy(this.#binary, this.#binaryPath);
    this.#data.text(`\n${BINARY_CLOSES}\n`);
    if (this.#hasSessions) {
      this.#data.text(SESSIONS_OPENS);
      await this.#copy(this.#sessions, this.#sessionsPath);
      this.#data.text(`\n${SESSIONS_CLOSES}\n`);
    }
    this.#data.text(countText(this.#count));
    this.#data.send();
    await this.#data.drained();
    this.#data.text(checksumText(this.#data.checksum));
    this.#data.send();
    await this.#data.drained();
    await this.#data.sync();
    await this.#file.close();
  }

  /** Lets go of an unfinished file and removes it. */
  async abandon(): Promise<void> {
    await this.#data.end();
    await this.#binary.end();
    await this.#sessions.end();
    await this.#file.close().catch(() => undefined);
    await this.#binary.file?.close().catch(() => undefined);
    await this.#sessions.file?.close().catch(() => undefined);
    await this.#files.remove(this.#path);
    await this.#files.remove(this.#binaryPath);
    await this.#files.remove(this.#sessionsPath);
  }

  get #waitingBytes(): number {
    return this.#data.waitingBytes + this.#binary.waitingBytes + this.#sessions.waitingBytes;
  }

  get #binaryPath(): string {
    return `${this.#path}.binary`;
  }

  get #sessionsPath(): string {
    return `${this.#path}.sessions`;
  }

  #textPiece(key: ByteRange, value: ByteRange): LargePiece {
    const sources = [
      new RawSource(',\n"'),
      new TextSource(key),
      new RawSource('":"'),
      new TextSource(value),
      new RawSource('"'),
    ];
    return piece(key, value, sources, async () => {
      const isBoth = isUtf8(subarray(key)) && (await isText(value, () => this.#giveTurn()));
      if (!isBoth) this.#largeBinary(key, value);
      return isBoth;
    });
  }

  #addBinary(key: ByteRange, value: ByteRange): void {
    const letters = `,\n["${base64(key)}","${base64(value)}"]`;
    this.#beginBinary();
    this.#binary.text(letters);
  }

  #largeBinary(key: ByteRange, value: ByteRange): void {
    const words = [new Base64Source(key), new RawSource('","'), new Base64Source(value)];
    this.#beginBinary();
    this.#binary.large(
      piece(key, value, [new RawSource(',\n["'), ...words, new RawSource('"]')], () => Promise.resolve(true)),
    );
  }

  #beginBinary(): void {
    if (this.#binaryCount++ === 0) this.#binary.beginList();
  }

  async #giveTurn(): Promise<void> {
    if (this.#clock !== undefined) await turn(this.#clock);
  }

  /** Puts at the end what waited in a file of its own, and removes that. */
  async #copy(waiting: SnapshotOutput, from: string): Promise<void> {
    waiting.send();
    await waiting.drained();
    const { file } = waiting;
    if (file === undefined) throw new Error('what was written has no file');
    for (let position = 0; ;) {
      this.#data.reserve(CHUNK_BYTES);
      const filled = await file.read(this.#data.chunk.bytes, position);
      if (filled === 0) break;
      position += filled;
      this.#data.length = filled;
      this.#data.send();
      await this.#data.drained();
    }
    await file.close();
    await this.#files.remove(from);
  }
}

/** Writes a pair of text, with a comma before it, to a place that is large enough; -1 when it is not text. */
function writePair(key: ByteRange, value: ByteRange, to: TextTarget, at: number): number {
  const target = to.bytes;
  target[at] = COMMA;
  target[at + 1] = LF;
  target[at + 2] = QUOTE;
  const keyEnd = writeText(key, to, at + 3);
  if (keyEnd === -1) return -1;
  target[keyEnd] = QUOTE;
  target[keyEnd + 1] = COLON;
  target[keyEnd + 2] = QUOTE;
  const valueEnd = writeText(value, to, keyEnd + 3);
  if (valueEnd === -1) return -1;
  target[valueEnd] = QUOTE;
  return valueEnd + 1;
}

function piece(
  key: ByteRange,
  value: ByteRange,
  sources: readonly Source[],
  belongs: () => Promise<boolean>,
): LargePiece {
  return {
    bytes: key.end - key.start + value.end - value.start,
    belongs,
    get isAtEnd() {
      return sources.every((source) => source.isAtEnd);
    },
    write(chunk, at) {
      for (const source of sources) {
        if (!source.isAtEnd) at = source.write(chunk, at);
        if (!source.isAtEnd) break;
      }
      return at;
    },
  };
}

function subarray(range: ByteRange): Buffer {
  return range.bytes.subarray(range.start, range.end);
}

function base64({ bytes, start, end }: ByteRange): string {
  return bytes.toString('base64', start, end);
}
