import { expect } from 'chai';
import fc from 'fast-check';
import type { Index, NodeId } from '../../src/engine.js';
import { committable, writeNeeds } from '../../src/replication/commit.js';
import type { OpenRange } from '../../src/replication/commit.js';
import { areMet } from '../../src/replication/quorum.js';

const NODES = ['A', 'B', 'C', 'D', 'E'] as NodeId[];
const [A, B, C] = NODES as [NodeId, NodeId, NodeId];

function held(by: Partial<Record<string, number>>): (node: NodeId) => Index {
  return (node) => (by[node] ?? 0) as Index;
}

function range(
  last: number,
  share: 'majority' | 'half' | 'all',
  members: NodeId[],
  isWhole = false,
): OpenRange {
  return { last: last as Index, needs: [{ share, members }], isWhole };
}

/** The greatest index that may be committed: found by trying each of them against every range. */
function committableByHand(open: readonly OpenRange[], durable: (node: NodeId) => Index): number {
  const isCommittable = (index: number): boolean => {
    let first = 1;
    for (const { last, needs, isWhole } of open) {
      if (first > index) return true;
      if (isWhole && index < last) return false;
      const reached = Math.min(index, last);
      if (!areMet(needs, new Set(NODES.filter((node) => durable(node) >= reached)))) return false;
      first = last + 1;
    }
    return true;
  };
  for (let index = open.at(-1)?.last ?? 0; index > 0; index--) if (isCommittable(index)) return index;
  return 0;
}

const anyNeed = fc.record({
  share: fc.constantFrom('majority' as const, 'half' as const, 'all' as const),
  members: fc.subarray(NODES, { minLength: 1 }),
});
const anyRanges: fc.Arbitrary<OpenRange[]> = fc
  .array(
    fc.record({
      length: fc.integer({ min: 1, max: 3 }),
      needs: fc.array(anyNeed, { minLength: 1, maxLength: 3 }),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .chain((ranges) =>
    fc.boolean().map((isOpening) => {
      let last = 0;
      return ranges.map(({ length, needs }, at) => {
        last += length;
        return { last: last as Index, needs, isWhole: isOpening && at === 0 };
      });
    }),
  );
const anyHeld = fc
  .tuple(...NODES.map(() => fc.nat({ max: 12 })))
  .map((durable) => held(Object.fromEntries(NODES.map((node, at) => [node, durable[at]]))));

describe('What may be committed', () => {
  it('IsTheGreatestIndexForWhichEnoughNodesHoldEachRange', () => {
    fc.assert(
      fc.property(anyRanges, anyHeld, (open, durable) => {
        expect(committable(open, durable) ?? 0).to.equal(committableByHand(open, durable));
      }),
      { numRuns: 3000 },
    );
  });

  it('IsNothingBeforeTheWholeOpeningIsHeld', () => {
    const open = [range(5, 'majority', [A, B, C], true), range(8, 'majority', [A, B, C])];
    expect(committable(open, held({ A: 8, B: 4 }))).to.equal(undefined);
    expect(committable(open, held({ A: 8, B: 5 }))).to.equal(5);
    expect(committable(open, held({ A: 8, B: 7 }))).to.equal(7);
  });

  it('NeedsForAWriteTheMembersItWasMadeUnder', () => {
    // The write of 1 to 3 was made under three members; the entry behind it leaves A alone.
    const open = [range(3, 'majority', [A, B, C]), range(4, 'all', [A])];
    expect(committable(open, held({ A: 4, B: 2 }))).to.equal(2);
    expect(committable(open, held({ A: 4, B: 3 }))).to.equal(4);
  });

  it('OfNothingIsNothing', () => {
    expect(committable([], held({ A: 9 }))).to.equal(undefined);
  });
});

describe('What a write needs', () => {
  it('FollowsTheSetting', () => {
    expect(writeNeeds('majority', A, [A, B, C])).to.deep.equal({ share: 'majority', members: [A, B, C] });
    expect(writeNeeds('all', A, [A, B])).to.deep.equal({ share: 'all', members: [A, B] });
    expect(writeNeeds('0', B, [A, B, C])).to.deep.equal({ share: 'all', members: [B] });
  });
});
