import type { ByteRange } from '../../src/engine.js';
import type { Table } from '../../src/store/table.js';

/** Has every put of a table done by `around`, whichever way it comes: with the value that it gives on, or not at all. */
export function aroundPuts(
  table: Table,
  around: (value: ByteRange, put: (given: ByteRange) => void) => void,
): void {
  const put = table.put.bind(table);
  const putFound = table.putFound.bind(table);
  table.put = (key, value) => {
    around(value, (given) => {
      put(key, given);
    });
  };
  table.putFound = (puts, found, at) => {
    const { bytes, starts, ends } = puts.keys;
    const value = { bytes, start: puts.valueStarts[at]!, end: puts.valueEnds[at]! };
    around(value, (given) => {
      if (given === value) putFound(puts, found, at);
      else put({ bytes, start: starts[at]!, end: ends[at]! }, given);
    });
  };
}
