import { expect } from 'chai';
import fc from 'fast-check';
import type { LineGrammar } from '../../src/protocol/line.js';
import { RequestReader } from '../../src/protocol/request-reader.js';
import { bytes, drain } from './reading.js';
import type { Seen } from './reading.js';

/** Takes a row of at most so many requests that come next from a reader; none are no row. */
export type TakeRow = (reader: RequestReader, countMax: number) => readonly Seen[];

/** Takes several of these requests one behind the other by rows as far as there are some, and one by one: what is read is the same. */
export function expectReadAsOneByOne(
  anyRequest: fc.Arbitrary<string>,
  grammar: LineGrammar,
  takeRow: TakeRow,
): void {
  fc.assert(
    fc.property(fc.array(anyRequest, { maxLength: 90 }), fc.nat(70), (parts, countMax) => {
      const [inRows, oneByOne] = [0, 1].map(() => {
        const reader = new RequestReader(grammar);
        reader.feed(bytes(parts.join('')));
        return reader;
      }) as [RequestReader, RequestReader];
      const rows: Seen[] = [];
      for (let row = takeRow(inRows, countMax); row.length > 0; row = takeRow(inRows, countMax))
        rows.push(...row);
      expect(inCapitals([...rows, ...drain(inRows)])).to.deep.equal(inCapitals(drain(oneByOne)));
    }),
    { numRuns: 1000 },
  );
}

/** A name in other capitals is the same command. */
function inCapitals(all: readonly Seen[]): Seen[] {
  return all.map((one) => {
    if (!('words' in one)) return one;
    const [name = '', ...others] = one.words;
    return { ...one, words: [name.toUpperCase(), ...others] };
  });
}
