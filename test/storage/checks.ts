import { expect } from 'chai';
import { TableKeyCount } from '../../src/cli/check/table-key-count.js';
import { checkData } from '../../src/storage/check.js';
import type { CheckReport, FileCheck, NodeCheck } from '../../src/storage/check-report.js';
import type { DataDirectoryOptions } from '../../src/storage/data-directory.js';
import type { Files } from '../../src/storage/files.js';
import { makeTable } from '../store/make-table.js';
import { aroundFiles } from './around-files.js';
import { changesFiles } from './failing-files.js';
import { DB_PATH } from './images.js';
import { MemoryDisk } from './memory-files.js';
import type { Image } from './memory-files.js';

export type IsCommitted = DataDirectoryOptions['isCommitted'];

/** Of a node that never shared its log. */
export const ALL_COMMITTED: IsCommitted = () => () => true;

/** Checks what a disk holds, and makes sure that not a byte and no name of it was changed, nor a file opened for more. */
export async function checkOn(
  image: Image,
  named = DB_PATH,
  isCommitted: IsCommitted = ALL_COMMITTED,
): Promise<CheckReport> {
  const disk = MemoryDisk.holding(image);
  const files = aroundFiles(disk.mount(), (call, run) => {
    const isHarmless = !changesFiles(call) && call.operation !== 'open' && call.operation !== 'lock';
    if (!isHarmless) throw new Error(`${call.operation} of ${call.file} in a check`);
    return run();
  });
  const checking = checkWith(files, named, isCommitted);
  await checking.catch(() => undefined);
  expectSame(image, disk.image());
  return checking;
}

export function checkWith(
  files: Files,
  named: string,
  isCommitted: IsCommitted = ALL_COMMITTED,
): Promise<CheckReport> {
  return checkData({ files, isCommitted, keys: new TableKeyCount(() => makeTable()) }, named);
}

function expectSame(before: Image, after: Image): void {
  expect([...after.keys()].sort()).to.deep.equal([...before.keys()].sort());
  for (const [file, content] of after) {
    if (!content.equals(before.get(file)!)) throw new Error(`${file} was changed by a check`);
  }
}

export async function checkNodeOn(image: Image, named = DB_PATH): Promise<NodeCheck> {
  const report = await checkOn(image, named);
  if (report.kind !== 'node') throw new Error(`it was taken for ${report.kind}`);
  return report;
}

export async function checkFileOn(image: Image, named = DB_PATH): Promise<FileCheck> {
  const report = await checkOn(image, named);
  if (report.kind === 'node') throw new Error('it was taken for a node');
  return report;
}
