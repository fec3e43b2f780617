import { EntryBatch } from '../src/engine.js';
import type { KeyBatch } from '../src/engine.js';

/** Keys and values as they lie in a request: with something between them, and not at the edges. */
export function entryBatch(pairs: readonly (readonly [key: string, value: string])[]): EntryBatch {
  const entries = new EntryBatch();
  const { keys, valueStarts, valueEnds } = entries;
  let text = '<';
  for (const [at, [key, value]] of pairs.entries()) {
    keys.starts[at] = text.length;
    text += key;
    keys.ends[at] = text.length;
    text += '\r\n$';
    valueStarts[at] = text.length;
    text += value;
    valueEnds[at] = text.length;
    text += '\r\n';
  }
  keys.begin(Buffer.from(text, 'latin1'));
  keys.count = pairs.length;
  return entries;
}

export function keysIn(keys: KeyBatch): string[] {
  return Array.from({ length: keys.count }, (_, at) =>
    keys.bytes.toString('latin1', keys.starts[at], keys.ends[at]),
  );
}

export function pairsIn({ keys, valueStarts, valueEnds }: EntryBatch): [key: string, value: string][] {
  return keysIn(keys).map((key, at) => [key, keys.bytes.toString('latin1', valueStarts[at], valueEnds[at])]);
}
