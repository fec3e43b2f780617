import type { ByteRange } from '../engine.js';
import type { Files } from './files.js';
import { JsonScanner } from './json-scanner.js';
import type { JsonKind } from './json-scanner.js';
import type { TextWord } from './json-words.js';
import { SNAPSHOT_FORMAT } from './snapshot-format.js';
import { eachChunk } from './snapshot-reader.js';

/** How much of a file is read in one turn. */
const BYTES_A_TURN = 64 * 1024;

/** What a file of JSON holds, seen from afar. */
export interface JsonOutline {
  readonly isObject: boolean;
  /** Names at the top, of those that were asked for. */
  readonly names: ReadonlySet<string>;
  /** The `data` at the top that counts: of several the last one. 0 when there is none, or when that is no object. */
  readonly data: number;
  readonly isSnapshot: boolean;
}

/** What stands directly in a `data` at the top; its bytes are borrowed. */
export interface Member {
  /** Which of the `data` it stands in, from 1. */
  readonly data: number;
  readonly name: ByteRange;
  /** Undefined when it is no string. */
  readonly value: ByteRange | undefined;
  /** Whether half a character stands in one of them. */
  readonly holdsHalf: boolean;
}

/** A file that is not JSON. */
export class NotJson extends Error {
  override readonly name = 'NotJson';

  constructor(
    what: string,
    readonly offset?: number,
  ) {
    super(what);
  }
}

export interface ReadingOfJson {
  /** Names at the top that the outline is to tell of. */
  readonly names?: readonly string[];
  readonly take?: (member: Member) => void;
  /** Awaited after each piece. */
  readonly pause?: (() => Promise<void>) | undefined;
}

/**
 * Reads any JSON that something else has written, a piece of bounded size in each turn, and holds no more of it than one
 * member of `data`.
 *
 * @throws NotJson
 */
export async function readForeignJson(
  files: Files,
  path: string,
  { names = [], take = () => undefined, pause }: ReadingOfJson,
): Promise<JsonOutline> {
  const reading = new JsonReading(names, take);
  const file = await files.open(path);
  try {
    await eachChunk(file, BYTES_A_TURN, Infinity, (chunk) => {
      reading.read(chunk);
      return pause?.();
    });
    return reading.end();
  } finally {
    await file.close();
  }
}

class JsonReading {
  readonly #scanner = new JsonScanner(this);
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  readonly #asked: ReadonlySet<string>;
  readonly #take: (member: Member) => void;
  readonly #names = new Set<string>();
  #bytes = 0;
  #isObject = false;
  #isInData = false;
  #data = 0;
  #isDataObject = false;
  #isSnapshot = false;

  constructor(names: readonly string[], take: (member: Member) => void) {
    this.#asked = new Set(names);
    this.#take = take;
  }

  read(chunk: Buffer): void {
    this.#decode(chunk);
    const stop = this.#scanner.read(chunk);
    if (stop !== -1) throw new NotJson('it is not JSON', this.#bytes + stop);
    this.#bytes += chunk.length;
  }

  end(): JsonOutline {
    if (this.#bytes === 0) throw new NotJson('it is empty', 0);
    this.#decode(undefined);
    if (!this.#scanner.end()) throw new NotJson('it is not JSON, or cut short', this.#bytes);
    const data = this.#isDataObject ? this.#data : 0;
    return { isObject: this.#isObject, names: this.#names, data, isSnapshot: this.#isSnapshot };
  }

  value(depth: number, kind: JsonKind, name: TextWord, word: TextWord): void {
    if (depth === 0) this.#isObject = kind === 'object';
    else if (depth === 1 && this.#isObject) this.#seeAtTop(textOf(name), kind, word);
    else if (depth === 2 && this.#isInData) this.#seeMember(name, kind === 'string' ? word : undefined);
  }

  #seeAtTop(name: string, kind: JsonKind, word: TextWord): void {
    if (this.#asked.has(name)) this.#names.add(name);
    if (name === 'format') this.#isSnapshot = kind === 'string' && textOf(word) === SNAPSHOT_FORMAT;
    this.#isInData = name === 'data' && kind === 'object';
    if (name !== 'data') return;
    this.#data++;
    this.#isDataObject = kind === 'object';
  }

  #seeMember(name: TextWord, word: TextWord | undefined): void {
    this.#take({
      data: this.#data,
      name: rangeOf(name),
      value: word && rangeOf(word),
      holdsHalf: name.holdsHalf || (word?.holdsHalf ?? false),
    });
  }

  #decode(chunk: Buffer | undefined): void {
    try {
      this.#decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      throw new NotJson('it is not UTF-8');
    }
  }
}

function rangeOf(word: TextWord): ByteRange {
  return { bytes: word.bytes, start: 0, end: word.length };
}

function textOf(word: TextWord): string {
  return word.bytes.toString('utf8', 0, word.length);
}
