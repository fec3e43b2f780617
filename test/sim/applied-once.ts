import type { ByteRange } from '../../src/engine.js';
import type { Table } from '../../src/store/table.js';
import { aroundPuts } from './around-puts.js';

/** What makes a write of a client one of its kind stands at the beginning of its value, or of the tag that it deletes. */
const UNIQUE = /^~?c\d+\.\d+/;
const UNIQUE_BYTES_MAX = 16;

/**
 * Watches what comes into the map of a node that has just started: each write of a client once, however often it was sent. What
 * comes with a snapshot counts as well, and what is cleared is forgotten.
 */
export function watchApplied(table: Table, report: (what: string) => void): void {
  const applied = new Set<string>();
  const note = ({ bytes, start, end }: ByteRange): void => {
    const text = bytes.toString('latin1', start, Math.min(end, start + UNIQUE_BYTES_MAX));
    const unique = UNIQUE.exec(text)?.[0];
    if (unique === undefined) return;
    if (applied.has(unique)) report(`applied the write ${unique} twice`);
    applied.add(unique);
  };
  const remove = table.delete.bind(table);
  const clear = table.clear.bind(table);
  aroundPuts(table, (value, put) => {
    note(value);
    put(value);
  });
  table.delete = (key) => {
    note(key);
    return remove(key);
  };
  table.clear = () => {
    applied.clear();
    clear();
  };
}
