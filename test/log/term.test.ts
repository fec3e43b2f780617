import { expect } from 'chai';
import fc from 'fast-check';
import type { Index, Position, Term } from '../../src/engine.js';
import { comparePositions, showPosition, termAfter, termCount } from '../../src/log/term.js';

/** The term of a log that holds no entry. */
const NO_TERM = 0 as Term;
const RANDOM_RANGE = 2 ** 28;
const COUNT_MAX = 2 ** 25 - 1;

/** What may be drawn: at least 0 and below 1. */
const anyRandom = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const anyTerm = fc
  .tuple(fc.nat({ max: COUNT_MAX - 1 }), fc.nat({ max: RANDOM_RANGE - 1 }))
  .map(([count, low]) => (count * RANDOM_RANGE + low) as Term);

function position(term: number, index: number): Position {
  return { term: term as Term, index: index as Index };
}

describe('a term', () => {
  it('begins with count 1 after the term of an empty log', () => {
    expect(termCount(NO_TERM)).to.equal(0);
    expect(termCount(termAfter(NO_TERM, 0))).to.equal(1);
  });

  it('that follows another is greater, counts one more, and is exact as a number', () => {
    fc.assert(
      fc.property(anyTerm, anyRandom, (highest, random) => {
        const next = termAfter(highest, random);
        expect(next).to.be.above(highest);
        expect(termCount(next)).to.equal(termCount(highest) + 1);
        expect(Number.isSafeInteger(next)).to.equal(true);
      }),
    );
  });

  it('differs from another one of the same count by what was drawn', () => {
    const drawn = [0, 0.25, 0.5, 1 - 2 ** -28].map((random) => termAfter(NO_TERM, random));
    expect(new Set(drawn).size).to.equal(drawn.length);
    expect(drawn.map(termCount)).to.deep.equal([1, 1, 1, 1]);
  });

  it('uses 28 random bits', () => {
    expect(termAfter(NO_TERM, 0)).to.equal(RANDOM_RANGE);
    expect(termAfter(NO_TERM, 2 ** -28)).to.equal(RANDOM_RANGE + 1);
    expect(termAfter(NO_TERM, 1 - 2 ** -53)).to.equal(2 * RANDOM_RANGE - 1);
  });

  it('stays below 2^53 up to the last count, and there is none behind it', () => {
    const last = termAfter((COUNT_MAX * RANDOM_RANGE - 1) as Term, 1 - 2 ** -53);
    expect(termCount(last)).to.equal(COUNT_MAX);
    expect(last).to.equal(Number.MAX_SAFE_INTEGER);
    expect(() => termAfter(last, 0)).to.throw(RangeError);
  });
});

describe('a position', () => {
  it('is shown as count:index', () => {
    expect(showPosition(position(3 * RANDOM_RANGE + 12_345, 42))).to.equal('3:42');
    expect(showPosition(position(NO_TERM, 0))).to.equal('0:0');
  });

  it('comes after another by term first, then by index', () => {
    const inOrder = [position(0, 0), position(1, 5), position(1, 6), position(2, 1), position(2, 9)];
    for (const [at, a] of inOrder.entries()) {
      for (const [behind, b] of inOrder.entries()) {
        expect(Math.sign(comparePositions(a, b))).to.equal(Math.sign(at - behind));
      }
    }
  });
});
