import { existsSync } from 'node:fs';
import path from 'node:path';

/** The folder that holds package.json, wherever the tests were compiled to. */
export const repositoryRoot = rootAbove(import.meta.dirname);

function rootAbove(directory: string): string {
  if (existsSync(path.join(directory, 'package.json'))) return directory;
  const parent = path.dirname(directory);
  if (parent === directory) throw new Error('no package.json above the tests');
  return rootAbove(parent);
}
