import { expect } from 'chai';
import fc from 'fast-check';
import { compileGlob, matchesGlob } from '../../src/commands/glob.js';

function matches(pattern: string, key: string): boolean {
  return matchesGlob(compileGlob(Buffer.from(pattern, 'latin1')), Buffer.from(key, 'latin1'));
}

/** The same pattern as a regular expression over characters that stand for bytes. */
function asExpression(pattern: string): RegExp {
  const parts = pattern
    .split('')
    .map((sign) =>
      sign === '*' ? '[^]*' : sign === '?' ? '[^]' : sign.replace(/[.+^${}()|[\]\\/]/, '\\$&'),
    );
  return new RegExp(`^${parts.join('')}$`);
}

describe('A pattern for keys', () => {
  const cases: [string, string[], string[]][] = [
    ['', [''], ['a']],
    ['*', ['', 'a', 'a\nb', '\xff'], []],
    ['a*', ['a', 'abc'], ['', 'ba']],
    ['*c', ['c', 'abc'], ['', 'cb']],
    ['a*b*c', ['abc', 'aXbYbZc'], ['ab', 'acb']],
    ['?', ['a', '\n', '\xff'], ['', 'ab']],
    ['[abc]x', ['ax', 'cx'], ['x', 'dx', 'abcx']],
    ['[a-c]', ['a', 'b', 'c'], ['d', '-']],
    ['[c-a]', ['a', 'b', 'c'], ['d']],
    ['[^a-c]', ['d', '-'], ['a', 'b', '']],
    ['[\\]]', [']'], ['\\']],
    ['[a-]', ['a', '-'], ['b']],
    ['[\\a-\\c]', ['b'], ['d', '\\']],
    ['[abc', ['a', 'c'], ['d', '[abc']],
    ['\\*', ['*'], ['a', '\\*']],
    ['\\?\\[', ['?['], ['a[']],
    ['a\\', ['a\\'], ['a']],
    ['h[^e]llo', ['hallo', 'hbllo'], ['hello']],
  ];
  for (const [pattern, hits, misses] of cases) {
    it(`${JSON.stringify(pattern)} means what it means to Redis`, () => {
      for (const key of hits) expect(matches(pattern, key), JSON.stringify(key)).to.equal(true);
      for (const key of misses) expect(matches(pattern, key), JSON.stringify(key)).to.equal(false);
    });
  }

  it('AgreesWithARegularExpressionOnStarsAndQuestionMarks', () => {
    const word = (units: string[]): fc.Arbitrary<string> =>
      fc.array(fc.constantFrom(...units), { maxLength: 8 }).map((signs) => signs.join(''));
    fc.assert(
      fc.property(word(['a', 'b', '.', '*', '?']), word(['a', 'b', '.', '*']), (pattern, key) => {
        expect(matches(pattern, key)).to.equal(asExpression(pattern).test(key));
      }),
      { numRuns: 5000 },
    );
  });

  it('NeverThrowsAndAlwaysEndsForAnyBytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), (pattern, key) => {
        matchesGlob(compileGlob(Buffer.from(pattern)), Buffer.from(key));
      }),
      { numRuns: 5000 },
    );
  });

  it('ManyStarsDoNotMakeItSlow', () => {
    // A matcher that tries every split would take longer than the universe has.
    expect(matches(`${'a*'.repeat(40)}b`, 'a'.repeat(10_000))).to.equal(false);
  });
});
