import { expect } from 'chai';
import fc from 'fast-check';
import type { Index, NodeId, Position, Term } from '../../src/engine.js';
import { controlFrame } from '../../src/log/control.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { addToSpans, commonPrefix, cutSpans, positionOf, termAt } from '../../src/log/history.js';
import type { History, TermSpan } from '../../src/log/history.js';
import { frameOf, range } from './frames.js';

/**
 * A log as the model knows it: the term of each entry, from index 1 on. What stands at a position is named by its term
 * alone, as a position is never used twice.
 */
type Terms = readonly number[];

/** What a log says that lets go of its entries before `trimmed`, and is not known further back. */
function historyOf(terms: Terms, trimmed = 0): History {
  const spans: TermSpan[] = [];
  terms.forEach((term, at) => {
    const firstIndex = (at + 1) as Index;
    if (firstIndex < trimmed || spans.at(-1)?.term === term) return;
    spans.push({ term: term as Term, firstIndex, isLossy: false });
  });
  const last = { term: (terms.at(-1) ?? 0) as Term, index: terms.length as Index };
  return { spans, last };
}

/** The last entry that both have: by comparing them one by one. */
function commonByHand(a: Terms, b: Terms): Position | undefined {
  let common: Position | undefined;
  for (let at = 0; at < Math.min(a.length, b.length) && a[at] === b[at]; at++) {
    common = { term: a[at] as Term, index: (at + 1) as Index };
  }
  return common;
}

/** Logs as primaries make them: each takes somebody's log, cut anywhere, under a term of its own, and appends to it. */
const anyLogs = fc
  .array(fc.record({ from: fc.nat(), cut: fc.nat(), added: fc.integer({ min: 1, max: 4 }) }), {
    maxLength: 8,
  })
  .map((steps) => {
    const logs: number[][] = [[]];
    steps.forEach(({ from, cut, added }, at) => {
      const base = logs[from % logs.length] ?? [];
      const kept = base.slice(0, cut % (base.length + 1));
      logs.push([...kept, ...Array.from({ length: added }, () => at + 1)]);
    });
    return logs;
  });

/** Two of them, each cut anywhere. */
const anyPair = fc.tuple(anyLogs, fc.nat(), fc.nat(), fc.nat(), fc.nat()).map(([logs, ...at]) => {
  const pick = (which: number, cut: number): Terms => {
    const log = logs[which % logs.length] ?? [];
    return log.slice(0, log.length - (cut % (log.length + 1)));
  };
  return [pick(at[0], at[1]), pick(at[2], at[3])] as const;
});

function framesOf(terms: Terms): Frame[] {
  let previous: LogEnd = EMPTY_LOG;
  return terms.map((term) => {
    const head = { term, index: previous.index + 1, previous: previous.checksum };
    const frame = frameOf([{ kind: 'delete', keys: [range('k')] }], head);
    previous = endOf(frame);
    return frame;
  });
}

describe('The last entry that two logs have in common', () => {
  it('IsWhatComparingThemOneByOneFinds', () => {
    fc.assert(
      fc.property(anyPair, ([a, b]) => {
        expect(commonPrefix(historyOf(a), historyOf(b))).to.deep.equal(commonByHand(a, b));
      }),
      { numRuns: 1000 },
    );
  });

  it('IsTheSameWhoeverAsks', () => {
    fc.assert(
      fc.property(anyPair, ([a, b]) => {
        expect(commonPrefix(historyOf(a), historyOf(b))).to.deep.equal(
          commonPrefix(historyOf(b), historyOf(a)),
        );
      }),
    );
  });

  it('OfTrimmedLogsIsTheSameOrIsNotKnown', () => {
    fc.assert(
      fc.property(anyPair, fc.nat({ max: 12 }), fc.nat({ max: 12 }), ([a, b], trimA, trimB) => {
        const found = commonPrefix(historyOf(a, trimA), historyOf(b, trimB));
        const common = commonByHand(a, b);
        // Both still know of an entry that has the same term: then what they have in common is known.
        const isKnown = common !== undefined && common.index >= Math.max(trimA, trimB);
        if (isKnown) expect(found).to.deep.equal(common);
        else if (found !== undefined) expect(found).to.deep.equal(common);
      }),
      { numRuns: 1000 },
    );
  });

  it('IsNothingWhereOneOfThemHoldsNothing', () => {
    expect(commonPrefix(historyOf([]), historyOf([1, 2]))).to.equal(undefined);
    expect(commonPrefix(historyOf([]), historyOf([]))).to.equal(undefined);
  });
});

describe('The spans of a log', () => {
  it('SayTheTermOfEachEntryAndOfNoOther', () => {
    fc.assert(
      fc.property(anyLogs, fc.nat({ max: 12 }), (logs, trimmed) => {
        for (const terms of logs) {
          const history = historyOf(terms, trimmed);
          terms.forEach((term, at) => {
            const isKnown = at + 1 >= trimmed;
            expect(termAt(history, (at + 1) as Index)).to.equal(isKnown ? term : undefined);
          });
          expect(termAt(history, (terms.length + 1) as Index)).to.equal(undefined);
          expect(termAt(history, 0 as Index)).to.equal(undefined);
        }
      }),
    );
  });

  it('GrowWithEachFrame', () => {
    fc.assert(
      fc.property(anyLogs, (logs) => {
        for (const terms of logs) {
          const spans: TermSpan[] = [];
          for (const frame of framesOf(terms)) addToSpans(spans, frame);
          expect(spans).to.deep.equal(historyOf(terms).spans);
        }
      }),
    );
  });

  it('OfALogThatIsCutAreThoseOfWhatIsLeft', () => {
    fc.assert(
      fc.property(anyLogs, fc.nat({ max: 20 }), (logs, last) => {
        for (const terms of logs) {
          const cut = cutSpans(historyOf(terms).spans, last as Index);
          expect(cut).to.deep.equal(historyOf(terms.slice(0, last)).spans);
        }
      }),
    );
  });

  it('RememberThatATermBeganWithAcceptedLoss', () => {
    const primary = 'a'.repeat(32) as NodeId;
    const lossAfter = { term: 1 as Term, index: 1 as Index };
    const opening = { kind: 'open', primary, configuration: undefined } as const;
    for (const isLossy of [true, false]) {
      const spans: TermSpan[] = [];
      const entry = { ...opening, lossAfter: isLossy ? lossAfter : undefined };
      const frame = controlFrame(entry, 2 as Term, { term: 1 as Term, index: 3 as Index, checksum: 5 });
      addToSpans(spans, frame);
      expect(spans).to.deep.equal([{ term: 2, firstIndex: 4, isLossy }]);
      expect(positionOf(frame)).to.deep.equal({ term: 2, index: 4 });
    }
  });
});
