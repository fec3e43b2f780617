import { isUtf8 } from 'node:buffer';
import { crc32 } from 'node:zlib';
import type { ByteRange, ClusterId, NodeId } from '../engine.js';
import type { LogEnd } from '../log/frame.js';
import type { Files, OpenFile } from './files.js';

/**
 * The JSON file: the map at one position, one entry a line.
 *
 *     {"format":"kv-snapshot","version":1,"term":…,"index":…,"log":…,"cluster":"…","node":"…",
 *     "data":{
 *     "key":"value",
 *     …
 *     },
 *     "binary":[
 *     ["key in base64","value in base64"],
 *     …
 *     ],
 *     "count":…,"checksum":"…"}
 *
 * `log` is the checksum of the log's frame that ends at the position. `checksum` is the CRC-32, in eight
 * hexadecimal digits, of every byte before its own name. A pair whose key or value is not valid UTF-8 stands under `binary`.
 */
export const SNAPSHOT_FORMAT = 'kv-snapshot';
export const SNAPSHOT_VERSION = 1;
export const DATA_OPENS = '"data":{';
export const DATA_CLOSES = '},';
export const BINARY_OPENS = '"binary":[';
export const BINARY_CLOSES = '],';

export interface SnapshotHead {
  readonly cluster: ClusterId;
  readonly node: NodeId;
  readonly end: LogEnd;
}

const CHUNK_BYTES = 256 * 1024;
/** Past this the caller waits before it adds more. */
const PENDING_BYTES_MAX = 8 * 1024 * 1024;

/** Gathers text into chunks and writes them one behind the other, while more is added. */
class Output {
  checksum = 0;
  pendingBytes = 0;
  readonly #file: OpenFile;
  #chunk: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #length = 0;
  #position = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(file: OpenFile) {
    this.#file = file;
  }

  text(text: string): void {
    const size = Buffer.byteLength(text);
    if (size > CHUNK_BYTES - this.#length) this.#send();
    if (size > CHUNK_BYTES) this.#queue(Buffer.from(text));
    else this.#length += this.#chunk.write(text, this.#length);
  }

  bytes(bytes: Buffer): void {
    this.#send();
    this.#queue(bytes);
  }

  /** Resolves when everything was written; rejects when a write failed. */
  async drained(): Promise<void> {
    await this.#writing;
  }

  async finish(): Promise<void> {
    this.#send();
    await this.#writing;
  }

  /** What the checksum is once the text so far is written. */
  checksumSoFar(): number {
    this.#send();
    return this.checksum;
  }

  #send(): void {
    if (this.#length === 0) return;
    this.#queue(this.#chunk.subarray(0, this.#length));
    this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    this.#length = 0;
  }

  #queue(bytes: Buffer): void {
    const position = this.#position;
    this.#position += bytes.length;
    this.pendingBytes += bytes.length;
    this.checksum = crc32(bytes, this.checksum);
    this.#writing = this.#writing.then(async () => {
      await this.#file.write(bytes, position);
      this.pendingBytes -= bytes.length;
    });
    // The failure is told to whoever waits for `drained` or `finish`.
    this.#writing.catch(() => undefined);
  }
}

/** Writes one snapshot to a file of its own. Nobody sees the file before the caller renames it. */
export class SnapshotWriter {
  readonly #files: Files;
  readonly #file: OpenFile;
  readonly #path: string;
  readonly #data: Output;
  #spool: { readonly file: OpenFile; readonly output: Output } | undefined;
  #opening: Promise<void> | undefined;
  #dataCount = 0;
  #binaryCount = 0;
  /** Binary pairs that came before the file for them was open. */
  #early: string[] = [];

  private constructor(files: Files, path: string, file: OpenFile) {
    this.#files = files;
    this.#path = path;
    this.#file = file;
    this.#data = new Output(file);
  }

  static async create(files: Files, path: string): Promise<SnapshotWriter> {
    return new SnapshotWriter(files, path, await files.create(path));
  }

  /** Says which position the entries to come are the map of. Called once, before the first. */
  start(head: SnapshotHead): void {
    const fields = {
      format: SNAPSHOT_FORMAT,
      version: SNAPSHOT_VERSION,
      term: head.end.term,
      index: head.end.index,
      log: head.end.checksum,
      cluster: head.cluster,
      node: head.node,
    };
    this.#data.text(`${JSON.stringify(fields).slice(0, -1)},\n${DATA_OPENS}`);
  }

  /** Takes one entry. The bytes are copied before this returns. */
  add(key: ByteRange, value: ByteRange): void {
    const keyBytes = key.bytes.subarray(key.start, key.end);
    const valueBytes = value.bytes.subarray(value.start, value.end);
    if (isUtf8(keyBytes) && isUtf8(valueBytes)) {
      const comma = this.#dataCount++ === 0 ? '\n' : ',\n';
      this.#data.text(
        `${comma}${JSON.stringify(keyBytes.toString())}:${JSON.stringify(valueBytes.toString())}`,
      );
      return;
    }
    const comma = this.#binaryCount++ === 0 ? '\n' : ',\n';
    this.#binary(`${comma}["${keyBytes.toString('base64')}","${valueBytes.toString('base64')}"]`);
  }

  /** Whether the disk is behind: wait for `drained` before the next entry. */
  get backedUp(): boolean {
    const spooled = this.#spool?.output.pendingBytes ?? 0;
    return this.#early.length > 0 || this.#data.pendingBytes + spooled > PENDING_BYTES_MAX;
  }

  async drained(): Promise<void> {
    await this.#opening;
    await this.#data.drained();
    await this.#spool?.output.drained();
  }

  /** Completes the file and makes it durable. */
  async finish(): Promise<void> {
    this.#data.text(`\n${DATA_CLOSES}\n${BINARY_OPENS}`);
    await this.#copySpool();
    const count = this.#dataCount + this.#binaryCount;
    this.#data.text(`\n${BINARY_CLOSES}\n"count":${String(count)},`);
    const checksum = this.#data.checksumSoFar().toString(16).padStart(8, '0');
    this.#data.text(`"checksum":"${checksum}"}\n`);
    await this.#data.finish();
    await this.#file.sync();
    await this.#file.close();
  }

  /** Lets go of an unfinished file and removes it. */
  async abandon(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    await this.#data.drained().catch(() => undefined);
    await this.#spool?.output.drained().catch(() => undefined);
    await this.#file.close().catch(() => undefined);
    await this.#spool?.file.close().catch(() => undefined);
    await this.#files.remove(this.#path);
    await this.#files.remove(this.#spoolPath);
  }

  get #spoolPath(): string {
    return `${this.#path}.binary`;
  }

  /** Binary pairs stand behind all others, and the walk meets them in between: they wait in a file. */
  #binary(text: string): void {
    if (this.#spool !== undefined) {
      this.#spool.output.text(text);
      return;
    }
    this.#early.push(text);
    this.#opening ??= this.#openSpool();
    this.#opening.catch(() => undefined);
  }

  async #openSpool(): Promise<void> {
    const file = await this.#files.create(this.#spoolPath);
    const output = new Output(file);
    this.#spool = { file, output };
    for (const text of this.#early) output.text(text);
    this.#early = [];
  }

  async #copySpool(): Promise<void> {
    await this.#opening;
    if (this.#spool === undefined) return;
    const { file, output } = this.#spool;
    await output.finish();
    for (let position = 0; ;) {
      const bytes = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      const filled = await file.read(bytes, position);
      if (filled === 0) break;
      position += filled;
      this.#data.bytes(bytes.subarray(0, filled));
      await this.#data.drained();
    }
    await file.close();
    this.#spool = undefined;
    await this.#files.remove(this.#spoolPath);
  }
}
