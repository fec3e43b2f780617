import { ArenaTable } from '../../src/store/arena-table.js';
import type { ArenaTableOptions } from '../../src/store/arena-table.js';

/** A table with a secret that is known, and so small inside that few entries make it grow, split and reclaim. */
export function makeTable(seed = 1, options: Partial<ArenaTableOptions> = {}): ArenaTable {
  const secret = Buffer.alloc(8);
  secret.writeInt32LE(seed);
  return new ArenaTable({ secret, pageBytes: 4096, cellsABucket: 16, ...options });
}
