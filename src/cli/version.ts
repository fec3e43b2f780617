import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Of this package. */
export function readVersion(): string {
  const text = readFileSync(descriptionAbove(import.meta.dirname), 'utf8');
  const { version } = JSON.parse(text) as { version: string };
  return version;
}

/** How far above depends on which file this module has become part of. */
function descriptionAbove(directory: string): string {
  const file = path.join(directory, 'package.json');
  if (existsSync(file)) return file;
  const parent = path.dirname(directory);
  if (parent === directory) throw new Error('package.json is missing');
  return descriptionAbove(parent);
}
