import { crc32 } from 'node:zlib';
import { SESSIONS_MAX } from '../engine.js';
import type { ByteRange, ClusterId, Index, NodeId, Term } from '../engine.js';
import { StorageFault } from './fault.js';
import { Base64Word, TextWord, wordStop } from './json-words.js';
import type { WordReader } from './json-words.js';
import { SnapshotDamage } from './snapshot-damage.js';
import {
  BINARY_CLOSES,
  BINARY_OPENS,
  DATA_CLOSES,
  DATA_OPENS,
  SESSIONS_CLOSES,
  SESSIONS_OPENS,
  SESSIONS_VERSION,
  SESSION_LINE_BYTES_MAX,
  SNAPSHOT_FORMAT,
  SNAPSHOT_VERSION,
  readSessionLine,
} from './snapshot-format.js';
import type { SnapshotHead } from './snapshot-format.js';

/** Receives an entry; its bytes, and the ranges themselves, are borrowed for the length of the call. */
export type EntryTaker = (key: ByteRange, value: ByteRange) => void;

/** Receives a session; the answers may be kept. */
export type SessionTaker = (id: number, lowest: number, answers: Int32Array) => void;

/** No line but those of the entries and the sessions is longer. */
export const LINE_BYTES_MAX = 4096;

const NO_BYTES: Buffer = Buffer.alloc(0);
const LF = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;

type Section =
  | 'head'
  | 'data opens'
  | 'data'
  | 'binary opens'
  | 'binary'
  | 'sessions opens'
  | 'sessions'
  | 'count'
  | 'nothing';

/** Where in the line of an entry the next byte stands. */
type Step = 'opening' | 'key' | 'between' | 'value' | 'closing' | 'comma' | 'line feed';

/** How the lines of entries look in one of the two lists. */
interface PairForm {
  readonly opening: string;
  readonly between: string;
  readonly closing: string;
  readonly key: WordReader;
  readonly value: WordReader;
}

/**
 * Reads the bytes of a snapshot as they come, and hands on its entries. Whatever is not exactly as it is written is refused with
 * the place where its line begins.
 */
export class SnapshotParser {
  readonly #path: string;
  readonly #take: EntryTaker;
  readonly #takeSession: SessionTaker;
  #section: Section = 'head';
  #head: SnapshotHead | undefined;
  #count = 0;
  #sessions = 0;
  #checksum = 0;
  /** Of the chunk that is being read. */
  #chunkOffset = 0;
  /** Where the line begins that is being read. */
  #lineOffset = 0;
  /** What was read of a line that is no entry's. */
  #line = '';
  #step: Step = 'opening';
  /** How much of a fixed part of an entry's line was read. */
  #matched = 0;
  readonly #text: PairForm;
  readonly #binary: PairForm;
  /** Of an entry that stands whole in a chunk; the same objects each time. */
  readonly #key = { bytes: NO_BYTES, start: 0, end: 0 };
  readonly #value = { bytes: NO_BYTES, start: 0, end: 0 };

  constructor(path: string, take: EntryTaker, takeSession: SessionTaker = () => undefined) {
    this.#path = path;
    this.#take = take;
    this.#takeSession = takeSession;
    const text = { key: new TextWord(), value: new TextWord() };
    this.#text = { opening: '"', between: '":"', closing: '"', ...text };
    const binary = { key: new Base64Word(), value: new Base64Word() };
    this.#binary = { opening: '["', between: '","', closing: '"]', ...binary };
  }

  /** Takes the next bytes of the file, of any length. */
  read(chunk: Buffer): void {
    let at = this.#readCovered(chunk);
    this.#checksum = crc32(chunk.subarray(0, at), this.#checksum);
    while (at < chunk.length) at = this.#readLine(chunk, at);
    this.#chunkOffset += chunk.length;
  }

  /** Says that there is nothing more. */
  end(): { readonly head: SnapshotHead; readonly count: number } {
    if (this.#head === undefined || this.#section !== 'nothing') throw this.#damage('it is cut short');
    return { head: this.#head, count: this.#count };
  }

  /** Reads everything before the last line; answers where that begins, or where the chunk ends. */
  #readCovered(chunk: Buffer): number {
    let at = 0;
    while (at < chunk.length && this.#section !== 'count' && this.#section !== 'nothing') {
      if (this.#section === 'data') at = this.#readList(chunk, at, this.#text);
      else if (this.#section === 'binary') at = this.#readList(chunk, at, this.#binary);
      else at = this.#readLine(chunk, at);
    }
    return at;
  }

  /** Reads entries, and stops behind the line that closes their list. */
  #readList(chunk: Buffer, at: number, form: PairForm): number {
    while (at < chunk.length) {
      const isLineStart = this.#step === 'opening' && this.#matched === 0;
      if (isLineStart && this.#line === '' && form === this.#text) at = this.#readWholePairs(chunk, at);
      if (at === chunk.length) break;
      const isPair = this.#line === '' && (!isLineStart || chunk[at] === form.opening.charCodeAt(0));
      if (!isPair) return this.#readLine(chunk, at);
      at = this.#readPair(chunk, at, form);
    }
    return at;
  }

  /** Reads entries that stand whole in the chunk and hold no escape, without copying them; stops before any other. */
  #readWholePairs(chunk: Buffer, at: number): number {
    const key = this.#key;
    const value = this.#value;
    key.bytes = value.bytes = chunk;
    while (chunk[at] === QUOTE) {
      const keyEnd = wordStop(chunk, at + 1);
      if (chunk[keyEnd] !== QUOTE || chunk[keyEnd + 1] !== COLON || chunk[keyEnd + 2] !== QUOTE) break;
      const valueEnd = wordStop(chunk, keyEnd + 3);
      if (chunk[valueEnd] !== QUOTE) break;
      const lineEnd = chunk[valueEnd + 1] === COMMA ? valueEnd + 2 : valueEnd + 1;
      if (chunk[lineEnd] !== LF) break;
      this.#count++;
      key.start = at + 1;
      key.end = keyEnd;
      value.start = keyEnd + 3;
      value.end = valueEnd;
      this.#take(key, value);
      at = lineEnd + 1;
      this.#lineOffset = this.#chunkOffset + at;
    }
    return at;
  }

  /** Reads on in the line of an entry, to its end or to that of the chunk. */
  #readPair(chunk: Buffer, at: number, form: PairForm): number {
    while (at < chunk.length) {
      switch (this.#step) {
        case 'opening':
          at = this.#match(chunk, at, form.opening, 'key', form.key);
          break;
        case 'key':
          at = this.#readWord(chunk, at, form.key, 'between');
          break;
        case 'between':
          at = this.#match(chunk, at, form.between, 'value', form.value);
          break;
        case 'value':
          at = this.#readWord(chunk, at, form.value, 'closing');
          break;
        case 'closing':
          at = this.#match(chunk, at, form.closing, 'comma');
          break;
        case 'comma':
          if (chunk[at] === COMMA) at++;
          this.#step = 'line feed';
          break;
        case 'line feed':
          if (chunk[at] !== LF) throw this.#damage('an entry is malformed');
          this.#endPair(form, at + 1);
          return at + 1;
      }
    }
    return at;
  }

  /** Reads on in a fixed part of the line. */
  #match(chunk: Buffer, at: number, text: string, next: Step, word?: WordReader): number {
    if (chunk[at] !== text.charCodeAt(this.#matched)) throw this.#damage('an entry is malformed');
    if (++this.#matched === text.length) {
      this.#matched = 0;
      this.#step = next;
      word?.begin();
    }
    return at + 1;
  }

  #readWord(chunk: Buffer, at: number, word: WordReader, next: Step): number {
    const stop = word.read(chunk, at);
    const isEnd = stop !== -1 && stop < chunk.length;
    if (stop === -1 || (isEnd && !word.end())) throw this.#damage('an entry is malformed');
    if (isEnd) this.#step = next;
    return stop;
  }

  #endPair({ key, value }: PairForm, at: number): void {
    this.#step = 'opening';
    this.#count++;
    this.#take(
      { bytes: key.bytes, start: 0, end: key.length },
      { bytes: value.bytes, start: 0, end: value.length },
    );
    this.#lineOffset = this.#chunkOffset + at;
  }

  /** Reads on in a line that is no entry's. */
  #readLine(chunk: Buffer, at: number): number {
    if (this.#section === 'nothing') throw this.#damage('something stands behind its end');
    const lineFeed = chunk.indexOf(LF, at);
    const stop = lineFeed === -1 ? chunk.length : lineFeed + 1;
    const bytesMax = this.#section === 'sessions' ? SESSION_LINE_BYTES_MAX : LINE_BYTES_MAX;
    this.#line += chunk.toString('latin1', at, Math.min(stop, at + bytesMax + 1));
    if (lineFeed === -1 && this.#line.length <= bytesMax) return stop;
    this.#endLine(this.#line);
    this.#line = '';
    this.#lineOffset = this.#chunkOffset + stop;
    return stop;
  }

  #endLine(line: string): void {
    switch (this.#section) {
      case 'head':
        this.#head = readHead(line, this.#path, (what) => this.#damage(what));
        this.#section = 'data opens';
        break;
      case 'data opens':
        this.#expect(line, DATA_OPENS, 'data');
        break;
      case 'data':
        this.#expect(line, DATA_CLOSES, 'binary opens');
        break;
      case 'binary opens':
        this.#expect(line, BINARY_OPENS, 'binary');
        break;
      case 'binary':
        this.#expect(line, BINARY_CLOSES, this.#head?.hasSessions === true ? 'sessions opens' : 'count');
        break;
      case 'sessions opens':
        this.#expect(line, SESSIONS_OPENS, 'sessions');
        break;
      case 'sessions':
        if (line === `${SESSIONS_CLOSES}\n`) this.#section = 'count';
        else this.#endSession(line);
        break;
      default:
        this.#checkCount(line);
        this.#section = 'nothing';
    }
  }

  #endSession(line: string): void {
    const session = readSessionLine(line);
    if (session === undefined) throw this.#damage('a session is malformed');
    if (++this.#sessions > SESSIONS_MAX) throw this.#damage('it holds more sessions than there can be');
    this.#takeSession(session.id, session.lowest, session.answers);
  }

  #expect(line: string, text: string, next: Section): void {
    if (line !== `${text}\n`) throw this.#damage(`an entry or ${text} is expected`);
    this.#section = next;
  }

  #checkCount(line: string): void {
    const last = readLastLine(line);
    if (last === undefined) throw this.#damage('its last line is malformed');
    if (crc32(last.covered, this.#checksum) !== last.checksum)
      throw this.#damage('its checksum does not match its content');
    if (last.count !== this.#count) throw this.#damage('it does not hold as many entries as it says');
  }

  #damage(what: string): SnapshotDamage {
    return new SnapshotDamage(this.#path, this.#lineOffset, what);
  }
}

/** @throws what `damage` makes; StorageFault when a newer program wrote it. */
export function readHead(line: string, path: string, damage: (what: string) => Error): SnapshotHead {
  const head = parseHead(line);
  if (head?.format !== SNAPSHOT_FORMAT) throw damage('its first line is not that of a snapshot');
  const { version } = head;
  if (isCount(version) && version > SESSIONS_VERSION) {
    const message = `${path} has version ${String(version)}, and this program reads up to ${String(SESSIONS_VERSION)}: use the newer program that wrote it`;
    throw new StorageFault('foreign', path, message);
  }
  const hasSessions = version === SESSIONS_VERSION;
  if (version !== SNAPSHOT_VERSION && !hasSessions) throw damage('its first line names no version');
  const { term, index, log, cluster, node } = head;
  if (!isCount(term) || !isCount(index) || !isCount(log) || !isIdentity(cluster) || !isIdentity(node)) {
    throw damage('its first line is incomplete');
  }
  const end = { term: term as Term, index: index as Index, checksum: log };
  return { cluster: cluster as ClusterId, node: node as NodeId, end, hasSessions };
}

function parseHead(line: string): Record<string, unknown> | undefined {
  if (!line.endsWith(',\n')) return undefined;
  try {
    return JSON.parse(`${line.slice(0, -2)}}`) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** What the last line says; undefined when it is malformed. */
export function readLastLine(
  line: string,
): { readonly covered: string; readonly count: number; readonly checksum: number } | undefined {
  const match = /^("count":(\d+),)"checksum":"([0-9a-f]{8})"}\n$/.exec(line);
  if (match === null) return undefined;
  const [, covered = '', count, checksum = ''] = match;
  return { covered, count: Number(count), checksum: Number.parseInt(checksum, 16) };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isIdentity(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value);
}
