import path from 'node:path';
import { crc32 } from 'node:zlib';
import { LASTING_BYTES_MIN, copyRange, wholeRange } from '../engine.js';
import type { ByteRange, ClusterId, Index, NodeId, Term } from '../engine.js';
import type { LogEnd } from '../log/frame.js';
import { StorageFault, damaged } from './fault.js';
import type { Files } from './files.js';
import { NotJson, readForeignJson } from './foreign-json.js';
import type { JsonOutline, Member, ReadingOfJson } from './foreign-json.js';
import { SNAPSHOT_FORMAT } from './snapshot-format.js';
import { SnapshotDamage, readSnapshot } from './snapshot-reader.js';
import type { SnapshotSummary } from './snapshot-reader.js';
import { SnapshotFiles, readTo } from './snapshots.js';
import type { SnapshotTarget } from './snapshots.js';

export const IMPORTED_NAME = 'imported.json';
const KEY_BYTES_MAX = 64 * 1024;
const VALUE_BYTES_MAX = 64 * 1024 * 1024;
/** A bare file has none of these: one that has was a snapshot, and may have held more than its `data`. */
const SNAPSHOT_FIELDS = ['format', 'binary', 'checksum'];
/** So many members that are no entries are remembered, in case others of their names make them good. */
const FAULTS_MAX = 100;

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
  const content = await findContent(files, main);
  if (content.isBare) {
    await files.duplicate(main, path.join(directory, IMPORTED_NAME));
    await files.syncDirectory(directory);
  }
  const snapshots = new SnapshotFiles(files, main, directory, undefined, content.end.index);
  const writer = await snapshots.begin();
  let entries = 0;
  try {
    writer.start({ ...identity, end: content.end, hasSessions: content.hasSessions });
    const taking = {
      put: (key: ByteRange, value: ByteRange): void => {
        target.put(key, value);
        writer.add(key, value);
        entries++;
      },
      session: (id: number, lowest: number, answers: Int32Array): void => {
        target.session(id, lowest, answers);
        writer.addSession(id, lowest, answers);
      },
    };
    await content.read(taking, () => writer.drained());
    await snapshots.install(writer);
  } catch (error) {
    await writer.abandon();
    throw error;
  }
  return { summary: await readSnapshot(files, main), entries };
}

type Taking = Pick<SnapshotTarget, 'put' | 'session'>;

/** What a new node may begin with. It was found to be fit, and is read once more to be taken. */
export interface Content {
  /** Where the log begins behind it. */
  readonly end: LogEnd;
  /** It is no snapshot of a node. */
  readonly isBare: boolean;
  /** A bare file has none. */
  readonly hasSessions: boolean;
  /** Shows each key once, with its value, and each session. Large values are lasting. */
  read(target: Taking, pause?: () => Promise<void>): Promise<void>;
}

/**
 * Finds out what a new node would begin with, and changes nothing.
 *
 * @throws StorageFault when a node cannot begin with it.
 */
export async function findContent(files: Files, main: string): Promise<Content> {
  const head = await readStart(files, main);
  const isWritten = head.startsWith(`{"format":"${SNAPSHOT_FORMAT}"`);
  return isWritten ? findSnapshot(files, main) : findBare(files, main);
}

async function findSnapshot(files: Files, main: string): Promise<Content> {
  const orDamaged = async (reading: Promise<SnapshotSummary>): Promise<SnapshotSummary> => {
    try {
      return await reading;
    } catch (error) {
      if (error instanceof SnapshotDamage) throw damaged(main, error.what, error.offset);
      throw error;
    }
  };
  const { end, hasSessions } = (await orDamaged(readSnapshot(files, main))).head;
  return {
    isBare: false,
    end,
    hasSessions,
    async read(target, pause) {
      const taking: Taking = {
        put: (key, value) => {
          target.put(key, lasting(value));
        },
        session: (id, lowest, answers) => {
          target.session(id, lowest, answers);
        },
      };
      await orDamaged(readTo(files, main, taking, pause));
    },
  };
}

async function findBare(files: Files, main: string): Promise<Content> {
  const { data, repeated } = await checkBare(files, main);
  return {
    isBare: true,
    end: { term: 0 as Term, index: IMPORTED_INDEX, checksum: 0 },
    hasSessions: false,
    async read(target, pause) {
      /** By the key's bytes. Of a key that may stand twice the last value counts, so it waits for the end. */
      const waiting = new Map<string, ByteRange>();
      const takeMember = ({ name, value, ...member }: Member): void => {
        if (member.data !== data || value === undefined) return;
        if (repeated.has(checksumOf(name))) waiting.set(textOf(name), copyRange(value));
        else target.put(name, lasting(value));
      };
      await readJson(files, main, { take: takeMember, pause });
      for (const [key, value] of waiting) {
        target.put(wholeRange(Buffer.from(key)), value);
        await pause?.();
      }
    },
  };
}

/** What a bare file was found to hold: which `data` counts, and the checksums of its keys that more than one key has. */
interface BareContent {
  readonly data: number;
  readonly repeated: ReadonlySet<number>;
}

async function checkBare(files: Files, main: string): Promise<BareContent> {
  const check = new BareCheck();
  const outline = await readJson(files, main, {
    names: SNAPSHOT_FIELDS,
    take: (member) => {
      check.member(member);
    },
  });
  if (outline.data === 0) throw unfit(main, 'it is neither a snapshot nor {"data":{"key":"value",…}}');
  if (outline.names.size > 0) {
    const advice = `its lines are not as they were written, so its checksum cannot be checked; to take its text entries all the same, make a bare file of it: jq '{data}' ${main}`;
    throw unfit(main, advice);
  }
  const fault = check.faultIn(outline.data);
  if (fault !== undefined) throw unfit(main, fault);
  return { data: outline.data, repeated: check.repeated() };
}

async function readJson(files: Files, main: string, reading: ReadingOfJson): Promise<JsonOutline> {
  try {
    return await readForeignJson(files, main, reading);
  } catch (error) {
    if (error instanceof NotJson) throw damaged(main, error.message, error.offset);
    throw error;
  }
}

/** Looks at the members of `data`, and holds none of them. A `data` that stands behind another one takes its place. */
class BareCheck {
  #data = 0;
  #checksums: number[] = [];
  /** Why a member cannot be taken. One of the same name behind it makes that good. */
  readonly #faults = new Map<string, string>();
  #isFaulty = false;

  member(member: Member): void {
    if (member.data !== this.#data) {
      this.#data = member.data;
      this.#checksums = [];
      this.#faults.clear();
      this.#isFaulty = false;
    }
    const fault = faultOf(member);
    if (fault === undefined) {
      if (this.#faults.size > 0) this.#faults.delete(textOf(member.name));
      this.#checksums.push(checksumOf(member.name));
    } else if (this.#faults.size < FAULTS_MAX) this.#faults.set(textOf(member.name), fault);
    else this.#isFaulty = true;
  }

  faultIn(data: number): string | undefined {
    if (data !== this.#data) return undefined;
    const [first] = this.#faults.values();
    return first ?? (this.#isFaulty ? 'many of its members are no entries' : undefined);
  }

  repeated(): ReadonlySet<number> {
    const sorted = Uint32Array.from(this.#checksums).sort();
    return new Set(sorted.filter((checksum, at) => at > 0 && sorted[at - 1] === checksum));
  }
}

function faultOf({ name, value, holdsHalf }: Member): string | undefined {
  const keyBytes = name.end - name.start;
  if (value === undefined) return `the value of ${shown(name)} is not a string`;
  if (keyBytes === 0 || keyBytes > KEY_BYTES_MAX) return `the key ${shown(name)} is empty or too long`;
  if (value.end - value.start > VALUE_BYTES_MAX) return `the value of ${shown(name)} is too long`;
  return holdsHalf ? `the entry ${shown(name)} holds half a character` : undefined;
}

function shown(name: ByteRange): string {
  const text = textOf({ ...name, end: Math.min(name.end, name.start + 400) });
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

function textOf({ bytes, start, end }: ByteRange): string {
  return bytes.toString('utf8', start, end);
}

function checksumOf({ bytes, start, end }: ByteRange): number {
  return crc32(bytes.subarray(start, end));
}

/** The writer may keep large values. */
function lasting(value: ByteRange): ByteRange {
  return value.end - value.start >= LASTING_BYTES_MIN ? copyRange(value) : value;
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

function unfit(main: string, what: string): StorageFault {
  return new StorageFault('foreign', main, `${main} cannot be taken as the first content: ${what}`);
}
