import { checkContent } from './check-content.js';
import { checkNode } from './check-node.js';
import type { CheckOptions } from './check-options.js';
import { findPlace, holdsNode } from './check-place.js';
import type { CheckReport } from './check-report.js';
import { refuseInUse } from './directory-lock.js';
import { readingFiles } from './reading-files.js';

/**
 * Reads the data of a node, or a file that a new one could begin with, and says how it is. Nothing is changed, and nothing is
 * opened for writing. Whether a start would be refused is decided by what a start asks, see found-node.ts.
 *
 * @param named - the JSON file, or the directory beside it.
 * @throws NoData; StorageFault when a server has it open, or changes it meanwhile.
 */
export async function checkData(options: CheckOptions, named: string): Promise<CheckReport> {
  const files = readingFiles(options.files, options.progress);
  const place = await findPlace(files, named);
  await refuseInUse(files, place.directory);
  if (!holdsNode(place.names)) return checkContent(files, place.dbPath);
  return checkNode({ ...options, files }, place);
}
