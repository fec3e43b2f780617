import type { FileCheck } from './check-report.js';
import { sizeOf } from './check-kept.js';
import { damageOf } from './damages.js';
import { StorageFault } from './fault.js';
import type { Files } from './files.js';
import { findContent } from './import.js';
import type { Content } from './import.js';
import { SNAPSHOT_FORMAT } from './snapshot-format.js';

const START_BYTES = 64;

/** Checks a file by itself, as what a new node would begin with. */
export async function checkContent(files: Files, dbPath: string): Promise<FileCheck> {
  let bytes = 0;
  let start = '';
  let keys = 0;
  try {
    bytes = await sizeOf(files, dbPath);
    start = await startOf(files, dbPath);
    // Whatever it is, it need not be read to its end to see that it is nothing of the kind.
    if (!/^\s*(\{|$)/.test(start)) throw somethingElse(dbPath);
    const content = await findContent(files, dbPath);
    await content.read({ put: () => keys++, session: () => undefined });
    return { kind: content.isBare ? 'bare' : 'snapshot', bytes, ...whole(dbPath, content, keys) };
  } catch (error) {
    const damage = damageOf(error, dbPath);
    const reason = error instanceof StorageFault ? error.message : damage.message;
    const kind = start.startsWith(`{"format":"${SNAPSHOT_FORMAT}"`) ? 'snapshot' : 'something else';
    return { kind, bytes, dbPath, damage: [damage], verdict: { kind: 'refuses', reason } };
  }
}

function whole(
  dbPath: string,
  { end }: Content,
  keys: number,
): Pick<FileCheck, 'dbPath' | 'damage' | 'verdict'> {
  const position = { term: end.term, index: end.index };
  return { dbPath, damage: [], verdict: { kind: 'starts', repairs: [], keys, position } };
}

function somethingElse(dbPath: string): StorageFault {
  const message = `${dbPath} is no data of a node: it is neither a snapshot nor {"data":{"key":"value",…}}`;
  return new StorageFault('foreign', dbPath, message);
}

async function startOf(files: Files, file: string): Promise<string> {
  const open = await files.openToRead(file);
  try {
    const bytes = Buffer.alloc(START_BYTES);
    return bytes.toString('latin1', 0, await open.read(bytes, 0));
  } finally {
    await open.close();
  }
}
