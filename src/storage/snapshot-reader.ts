import { crc32 } from 'node:zlib';
import { wholeRange } from '../engine.js';
import type { ByteRange, ClusterId, Index, NodeId, Term } from '../engine.js';
import { StorageFault } from './fault.js';
import type { Files, OpenFile } from './files.js';
import {
  BINARY_CLOSES,
  BINARY_OPENS,
  DATA_CLOSES,
  DATA_OPENS,
  SNAPSHOT_FORMAT,
  SNAPSHOT_VERSION,
} from './snapshot-writer.js';
import type { SnapshotHead } from './snapshot-writer.js';

/** A snapshot that does not hold, and the byte where that was noticed. */
export class SnapshotDamage extends Error {
  override readonly name = 'SnapshotDamage';

  constructor(
    readonly file: string,
    readonly offset: number,
    readonly what: string,
  ) {
    super(`${file} is damaged at byte ${String(offset)}: ${what}`);
  }
}

const CHUNK_BYTES = 1024 * 1024;
const LF = 0x0a;

type EntryTaker = (key: ByteRange, value: ByteRange) => void;

export interface SnapshotSummary {
  readonly head: SnapshotHead;
  readonly count: number;
  readonly bytes: number;
}

/**
 * Reads a snapshot, line by line. Entries are handed on before the checksum at the end was seen: when this throws,
 * what was taken is worth nothing.
 *
 * @param take - receives each entry; without it the file is only checked, which is cheaper.
 * @throws SnapshotDamage; StorageFault when a newer program wrote it; the system's error when it cannot be read.
 */
export async function readSnapshot(files: Files, path: string, take?: EntryTaker): Promise<SnapshotSummary> {
  const file = await files.open(path);
  try {
    const parser = new SnapshotParser(path, take);
    const bytes = await eachLine(file, (line) => {
      parser.line(line);
    });
    return parser.end(bytes);
  } finally {
    await file.close();
  }
}

/** Shows every line with its line feed, and a rest without one; answers the length of the file. */
async function eachLine(file: OpenFile, show: (line: Buffer) => void): Promise<number> {
  let rest: Buffer[] = [];
  let position = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
    const filled = await file.read(chunk, position);
    position += filled;
    let from = 0;
    for (let lf = chunk.indexOf(LF); lf !== -1 && lf < filled; lf = chunk.indexOf(LF, from)) {
      const line = chunk.subarray(from, lf + 1);
      show(rest.length === 0 ? line : Buffer.concat([...rest, line]));
      rest = [];
      from = lf + 1;
    }
    if (from < filled) rest.push(chunk.subarray(from, filled));
    if (filled < CHUNK_BYTES) break;
  }
  if (rest.length > 0) show(Buffer.concat(rest));
  return position;
}

type Expecting = 'head' | 'data' | 'data entry' | 'binary' | 'binary entry' | 'count' | 'nothing';

class SnapshotParser {
  readonly #path: string;
  readonly #take: EntryTaker | undefined;
  #expecting: Expecting = 'head';
  #head: SnapshotHead | undefined;
  #count = 0;
  #checksum = 0;
  #offset = 0;

  constructor(path: string, take: EntryTaker | undefined) {
    this.#path = path;
    this.#take = take;
  }

  line(bytes: Buffer): void {
    if (this.#expecting === 'count') this.#readCount(bytes);
    else {
      this.#checksum = crc32(bytes, this.#checksum);
      this.#readLine(bytes);
    }
    this.#offset += bytes.length;
  }

  end(bytes: number): SnapshotSummary {
    if (this.#head === undefined || this.#expecting !== 'nothing') throw this.#damage('it is cut short');
    return { head: this.#head, count: this.#count, bytes };
  }

  #readLine(bytes: Buffer): void {
    switch (this.#expecting) {
      case 'head':
        this.#head = this.#readHead(bytes);
        this.#expecting = 'data';
        break;
      case 'data':
        this.#expect(bytes, DATA_OPENS, 'data entry');
        break;
      case 'data entry':
        if (isLine(bytes, DATA_CLOSES)) this.#expecting = 'binary';
        else this.#readPair(bytes, '{', '}');
        break;
      case 'binary':
        this.#expect(bytes, BINARY_OPENS, 'binary entry');
        break;
      case 'binary entry':
        if (isLine(bytes, BINARY_CLOSES)) this.#expecting = 'count';
        else this.#readPair(bytes, '[', ']');
        break;
      default:
        throw this.#damage('something stands behind its end');
    }
  }

  #expect(bytes: Buffer, text: string, next: Expecting): void {
    if (!isLine(bytes, text)) throw this.#damage(`${text} is expected`);
    this.#expecting = next;
  }

  #readHead(bytes: Buffer): SnapshotHead {
    const head = this.#parse(`${bytes.toString().trimEnd().slice(0, -1)}}`) as Record<string, unknown>;
    if (head.format !== SNAPSHOT_FORMAT) throw this.#damage('its first line is not that of a snapshot');
    const { version } = head;
    if (isCount(version) && version > SNAPSHOT_VERSION) {
      const message = `${this.#path} has version ${String(version)}, and this program reads ${String(SNAPSHOT_VERSION)}: use the newer program that wrote it`;
      throw new StorageFault('foreign', this.#path, message);
    }
    if (version !== SNAPSHOT_VERSION) throw this.#damage('its first line names no version');
    const { term, index, log, cluster, node } = head;
    if (!isCount(term) || !isCount(index) || !isCount(log) || !isIdentity(cluster) || !isIdentity(node)) {
      throw this.#damage('its first line is incomplete');
    }
    const end = { term: term as Term, index: index as Index, checksum: log };
    return { cluster: cluster as ClusterId, node: node as NodeId, end };
  }

  #readPair(bytes: Buffer, opens: '{' | '[', closes: '}' | ']'): void {
    this.#count++;
    if (this.#take === undefined) return;
    const text = bytes.toString('utf8', 0, bytes.length - 1);
    const pair = text.endsWith(',') ? text.slice(0, -1) : text;
    if (opens === '{') {
      const entries = Object.entries(this.#parse(`${opens}${pair}${closes}`) as object);
      const [key, value] = entries[0] ?? [];
      if (entries.length !== 1 || key === undefined || typeof value !== 'string')
        throw this.#damage('an entry is malformed');
      this.#take(wholeRange(Buffer.from(key)), wholeRange(Buffer.from(value)));
      return;
    }
    const words = this.#parse(pair) as unknown[];
    const [key, value] = words;
    if (typeof key !== 'string' || typeof value !== 'string') throw this.#damage('an entry is malformed');
    this.#take(wholeRange(Buffer.from(key, 'base64')), wholeRange(Buffer.from(value, 'base64')));
  }

  #readCount(bytes: Buffer): void {
    const match = /^("count":(\d+),)"checksum":"([0-9a-f]{8})"}\n$/.exec(bytes.toString());
    if (match === null) throw this.#damage('its last line is malformed');
    const [, counted = '', count, checksum = ''] = match;
    if (crc32(Buffer.from(counted), this.#checksum) !== Number.parseInt(checksum, 16)) {
      throw this.#damage('its checksum does not match its content');
    }
    if (Number(count) !== this.#count) throw this.#damage('it does not hold as many entries as it says');
    this.#expecting = 'nothing';
  }

  #parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw this.#damage('a line is not JSON');
    }
  }

  #damage(what: string): SnapshotDamage {
    return new SnapshotDamage(this.#path, this.#offset, what);
  }
}

function isLine(bytes: Buffer, text: string): boolean {
  return (
    bytes.length === text.length + 1 &&
    bytes.toString('latin1', 0, text.length) === text &&
    bytes[text.length] === LF
  );
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isIdentity(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value);
}
