import path from 'node:path';
import { keptKind } from './check-kept.js';
import { LOCK_NAME } from './directory-lock.js';
import { errorCode } from './files.js';
import type { Files } from './files.js';
import { NODE_STATE_NAME } from './node-state.js';
import { sequenceOf } from './segment.js';
import { PREVIOUS_NAME } from './snapshots.js';

/** What there is to check: a JSON file, and the directory beside it with the names in it. */
export interface DataPlace {
  readonly dbPath: string;
  readonly directory: string;
  readonly names: readonly string[];
}

/** There is nothing that could be checked. The message says what there is, and what to name. */
export class NoData extends Error {
  override readonly name = 'NoData';
}

/** @param named - the JSON file, or the directory beside it. */
export async function findPlace(files: Files, named: string): Promise<DataPlace> {
  const given = named.replace(/(?<=[^/])\/+$/, '');
  // Of `.` the name says nothing.
  const bare = /^\.{1,2}$/.test(path.basename(given)) ? path.resolve(given) : given;
  const inside = await namesIn(files, bare);
  if (inside !== undefined) return placeOfDirectory(files, bare, inside);
  const directory = `${bare}.d`;
  const names = (await namesIn(files, directory)) ?? [];
  if (!holdsNode(names) && !(await files.exists(bare))) {
    throw new NoData(`${bare} is not there: name the file that --db-path names, or the directory beside it`);
  }
  await refuseInside(files, bare);
  return { dbPath: bare, directory, names };
}

/** Whether these names are those of a node that has run: a directory without them is as good as none to a start. */
export function holdsNode(names: readonly string[]): boolean {
  return names.some(
    (name) => name === NODE_STATE_NAME || name === PREVIOUS_NAME || sequenceOf(name) !== undefined,
  );
}

async function placeOfDirectory(
  files: Files,
  directory: string,
  names: readonly string[],
): Promise<DataPlace> {
  const dbPath = /[^/]\.d$/.test(directory) ? directory.slice(0, -'.d'.length) : undefined;
  if (dbPath !== undefined && (holdsNode(names) || (await files.exists(dbPath)))) {
    return { dbPath, directory, names };
  }
  const advice = holdsNode(names)
    ? 'it holds the data of a node: let its name end in .d, and put the JSON file beside it'
    : 'no data of a node is in it: name a JSON file, or the directory beside one, which ends in .d';
  throw new NoData(`${directory} is a directory, and ${advice}`);
}

/** A file of a node that says nothing by itself. */
async function refuseInside(files: Files, file: string): Promise<void> {
  const name = path.basename(file);
  const kind = keptKind(name);
  const isPart =
    name === NODE_STATE_NAME ||
    name === LOCK_NAME ||
    sequenceOf(name) !== undefined ||
    kind === 'torn end' ||
    kind === 'lost entries';
  const directory = path.dirname(file);
  if (!isPart || !holdsNode((await namesIn(files, directory)) ?? [])) return;
  throw new NoData(
    `${file} is one of the files of a node: name ${directory}, and it is checked with the others`,
  );
}

/** Undefined when it is no directory. */
async function namesIn(files: Files, directory: string): Promise<string[] | undefined> {
  try {
    return await files.list(directory);
  } catch (error) {
    if (errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
