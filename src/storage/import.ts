import { isUtf8 } from 'node:buffer';
import path from 'node:path';
import { wholeRange } from '../engine.js';
import type { ByteRange, ClusterId, Index, NodeId, Term } from '../engine.js';
import type { LogEnd } from '../log/frame.js';
import { StorageFault, damaged } from './fault.js';
import type { Files } from './files.js';
import { readWhole } from './files.js';
import { SnapshotDamage, readSnapshot } from './snapshot-reader.js';
import type { SnapshotSummary } from './snapshot-reader.js';
import { SNAPSHOT_FORMAT } from './snapshot-format.js';
import { SnapshotFiles } from './snapshots.js';
import type { SnapshotTarget } from './snapshots.js';

export const IMPORTED_NAME = 'imported.json';
const KEY_BYTES_MAX = 64 * 1024;
const VALUE_BYTES_MAX = 64 * 1024 * 1024;
/** A bare file has none of these: one that has was a snapshot, and may have held more than its `data`. */
const SNAPSHOT_FIELDS = ['format', 'binary', 'checksum'];
const ENTRIES_A_SLICE = 1000;

/** Where the history of content begins that came from a bare file: behind one entry that nobody wrote. */
const IMPORTED_INDEX = 1 as Index;

export interface Imported {
  readonly summary: SnapshotSummary;
  readonly entries: number;
}

/**
 * Takes a JSON file as the first content of a new node: a snapshot of any node, or `{"data":{key:value,…}}`
 * written by something else. The file is replaced by a snapshot of the new node with the same content; a bare one
 * is kept in the node's directory as it was.
 *
 * @throws StorageFault when it is neither. An empty file is damage, not an empty store.
 */
export async function importContent(
  files: Files,
  main: string,
  directory: string,
  identity: { readonly cluster: ClusterId; readonly node: NodeId },
  target: SnapshotTarget,
): Promise<Imported> {
  const entries: [Buffer, Buffer][] = [];
  const { end, isBare } = await readContent(files, main, (key, value) => {
    entries.push([key, value]);
  });
  if (isBare) {
    await files.duplicate(main, path.join(directory, IMPORTED_NAME));
    await files.syncDirectory(directory);
  }
  const snapshots = new SnapshotFiles(files, main, directory, undefined, end.index);
  const writer = await snapshots.begin();
  try {
    writer.start({ ...identity, end });
    for (const [at, [key, value]] of entries.entries()) {
      target.put(wholeRange(key), wholeRange(value));
      writer.add(wholeRange(key), wholeRange(value));
      if (writer.backedUp || at % ENTRIES_A_SLICE === 0) await writer.drained();
    }
    await snapshots.install(writer);
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  return { summary: await readSnapshot(files, main), entries: entries.length };
}

type Take = (key: Buffer, value: Buffer) => void;

/** What a file is that a new node is to begin with. */
export interface Content {
  readonly end: LogEnd;
  /** It is no snapshot of a node. */
  readonly isBare: boolean;
}

/**
 * Reads the content that a new node would begin with, and changes nothing.
 *
 * @throws StorageFault when a node cannot begin with it.
 */
export async function readContent(files: Files, main: string, take: Take): Promise<Content> {
  const head = await readStart(files, main);
  if (head.startsWith(`{"format":"${SNAPSHOT_FORMAT}"`)) {
    return { end: await readComplete(files, main, take), isBare: false };
  }
  readBare(main, await readWhole(files, main), take);
  return { end: { term: 0 as Term, index: IMPORTED_INDEX, checksum: 0 }, isBare: true };
}

async function readComplete(files: Files, main: string, take: Take): Promise<LogEnd> {
  try {
    const { head } = await readSnapshot(files, main, (key, value) => {
      take(copy(key), copy(value));
    });
    return head.end;
  } catch (error) {
    if (error instanceof SnapshotDamage) throw damaged(main, error.what, error.offset);
    throw error;
  }
}

async function readStart(files: Files, main: string): Promise<string> {
  const open = await files.open(main);
  try {
    const bytes = Buffer.alloc(64);
    return bytes.toString('latin1', 0, await open.read(bytes, 0));
  } finally {
    await open.close();
  }
}

function readBare(main: string, bytes: Buffer, take: Take): void {
  if (bytes.length === 0) throw damaged(main, 'it is empty', 0);
  if (!isUtf8(bytes)) throw damaged(main, 'it is not UTF-8');
  let content: unknown;
  try {
    content = JSON.parse(bytes.toString());
  } catch (error) {
    throw damaged(main, `it is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (!isObject(content) || !isObject(content.data)) {
    throw unfit(main, 'it is neither a snapshot nor {"data":{"key":"value",…}}');
  }
  if (SNAPSHOT_FIELDS.some((name) => name in content)) {
    const advice = `its lines are not as they were written, so its checksum cannot be checked; to take its text entries all the same, make a bare file of it: jq '{data}' ${main}`;
    throw unfit(main, advice);
  }
  for (const [key, value] of Object.entries(content.data)) {
    const name = JSON.stringify(key.length > 40 ? `${key.slice(0, 40)}…` : key);
    if (typeof value !== 'string') throw unfit(main, `the value of ${name} is not a string`);
    const keyBytes = Buffer.from(key);
    if (key === '' || keyBytes.length > KEY_BYTES_MAX)
      throw unfit(main, `the key ${name} is empty or too long`);
    const valueBytes = Buffer.from(value);
    if (valueBytes.length > VALUE_BYTES_MAX) throw unfit(main, `the value of ${name} is too long`);
    if (/\p{Surrogate}/u.test(key + value)) throw unfit(main, `the entry ${name} holds half a character`);
    take(keyBytes, valueBytes);
  }
}

function unfit(main: string, what: string): StorageFault {
  return new StorageFault('foreign', main, `${main} cannot be taken as the first content: ${what}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function copy(range: ByteRange): Buffer {
  return Buffer.from(range.bytes.subarray(range.start, range.end));
}
