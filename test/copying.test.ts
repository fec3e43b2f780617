import { expect } from 'chai';
import { copyByWords, copyBytes, viewOf } from '../src/copying.js';

/** More than are copied one by one. */
const BYTES_MAX = 100;

describe('Few bytes', () => {
  it('AreCopiedToTheirPlaceAndNothingBesideIt', () => {
    const source = Buffer.from(Array.from({ length: BYTES_MAX + 8 }, (_, at) => at + 1));
    for (let length = 0; length <= BYTES_MAX; length++) {
      for (const [start, at] of [
        [0, 0],
        [1, 2],
        [7, 5],
      ] as const) {
        const end = start + length;
        const [expected, target, byWords] = [0, 0, 0].map(() => Buffer.alloc(BYTES_MAX + 8, 0xff));
        source.copy(expected!, at, start, end);
        expect(copyBytes(source, start, end, target!, at), String(length)).to.equal(at + length);
        expect(target, String(length)).to.deep.equal(expected);
        copyByWords(viewOf(source), start, end, viewOf(byWords!), at);
        expect(byWords, String(length)).to.deep.equal(expected);
      }
    }
  });
});
