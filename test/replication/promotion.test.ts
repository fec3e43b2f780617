import { expect } from 'chai';
import fc from 'fast-check';
import type { AcksPolicy, Index, NodeId, Term } from '../../src/engine.js';
import type { Membership } from '../../src/replication/membership.js';
import { decidePromotion } from '../../src/replication/promotion.js';
import type { PromotionAnswer, PromotionDecision, PromotionTerms } from '../../src/replication/promotion.js';
import { isMet } from '../../src/replication/quorum.js';

const [A, B, C, D] = ['A', 'B', 'C', 'D'] as NodeId[] as [NodeId, NodeId, NodeId, NodeId];
const PLAIN: PromotionTerms = { othersAreDown: false, acceptDataLoss: false };
const OTHERS_ARE_DOWN: PromotionTerms = { othersAreDown: true, acceptDataLoss: false };
const LOSS: PromotionTerms = { othersAreDown: true, acceptDataLoss: true };

function membership(index: number, members: readonly NodeId[], acks: AcksPolicy = 'majority'): Membership {
  return { position: { term: 1 as Term, index: index as Index }, members, acks };
}

interface Said {
  readonly committed: Membership;
  readonly open?: readonly Membership[];
  readonly last?: number;
  readonly lastPrimary?: NodeId;
  readonly isLeftOut?: boolean;
  readonly isConfirmed?: boolean;
}

function answer(node: NodeId, said: Said): PromotionAnswer {
  return {
    node,
    last: { term: 1 as Term, index: (said.last ?? 9) as Index },
    memberships: { committed: said.committed, open: said.open ?? [] },
    lastPrimary: said.lastPrimary ?? A,
    isLeftOut: said.isLeftOut ?? false,
    isConfirmed: said.isConfirmed ?? true,
  };
}

/** The same answer from each of them. */
function answers(nodes: readonly NodeId[], said: Said): PromotionAnswer[] {
  return nodes.map((node) => answer(node, said));
}

function why(decision: PromotionDecision): string {
  return decision.kind === 'granted' ? 'granted' : decision.reason.why;
}

describe('A promotion', () => {
  const three = membership(1, [A, B, C]);
  const pair = membership(1, [A, B]);

  it('NeedsAMajorityAndLeavesTheMembersAsTheyAre', () => {
    expect(why(decidePromotion(B, answers([B], { committed: three }), PLAIN))).to.equal('too few answers');
    const granted = decidePromotion(B, answers([B, C], { committed: three }), PLAIN);
    const opening = [{ share: 'majority', members: [A, B, C] }];
    expect(granted).to.deep.equal({
      kind: 'granted',
      longest: B,
      members: undefined,
      opening,
      isLossy: false,
    });
  });

  it('TakesTheLongestLogOfThoseThatCountAndItsOwnWhereNoneIsLonger', () => {
    const own = answer(B, { committed: three, last: 5 });
    const longer = answer(C, { committed: three, last: 6 });
    const leftOut = answer(A, { committed: three, last: 9, isLeftOut: true });
    expect(decidePromotion(B, [own, longer, leftOut], PLAIN)).to.include({ longest: C });
    expect(decidePromotion(B, [answer(C, { committed: three, last: 5 }), own], PLAIN)).to.include({
      longest: B,
    });
  });

  it('CountsNobodyWhoWasLeftOut', () => {
    const said = [answer(B, { committed: three }), answer(C, { committed: three, isLeftOut: true })];
    expect(why(decidePromotion(B, said, PLAIN))).to.equal('too few answers');
    expect(why(decidePromotion(C, said, PLAIN))).to.equal('not a member');
    expect(why(decidePromotion(D, answers([B, C, D], { committed: three }), PLAIN))).to.equal('not a member');
  });

  it('NeedsNobodyWhoKnowsThatItWasRemovedItself', () => {
    const alone = membership(5, [B]);
    const own = answer(B, { committed: pair, open: [alone] });
    const removed = answer(A, { committed: alone, isLeftOut: true });
    expect(why(decidePromotion(B, [own], PLAIN))).to.equal('too few answers');
    expect(why(decidePromotion(B, [own, removed], PLAIN))).to.equal('granted');
    // What it does not know to be committed proves nothing.
    const unsure = answer(A, { committed: pair, open: [alone], isLeftOut: true });
    expect(why(decidePromotion(B, [own, unsure], PLAIN))).to.equal('too few answers');
  });

  it('OfHalfNeedsTheOperatorsWordAndThatEachWasConfirmed', () => {
    const alone = answers([B], { committed: pair });
    expect(why(decidePromotion(B, alone, PLAIN))).to.equal('too few answers');
    const opening = [
      { share: 'majority', members: [B] },
      { share: 'half', members: [A, B] },
    ];
    const granted = { kind: 'granted', longest: B, members: [B], opening, isLossy: false };
    expect(decidePromotion(B, alone, OTHERS_ARE_DOWN)).to.deep.equal(granted);
    const unconfirmed = answers([B], { committed: pair, isConfirmed: false });
    const refused = { kind: 'refused', reason: { why: 'unconfirmed', node: B } };
    expect(decidePromotion(B, unconfirmed, OTHERS_ARE_DOWN)).to.deep.equal(refused);
  });

  it('NeedsItsShareUnderEachMembershipBackToTheLastCommittedOne', () => {
    const open = [membership(5, [B])];
    const alone = answers([B], { committed: three, open });
    expect(decidePromotion(B, alone, PLAIN)).to.deep.equal({
      kind: 'refused',
      reason: { why: 'too few answers', membership: three, share: 'majority' },
    });
    expect(why(decidePromotion(B, alone, OTHERS_ARE_DOWN))).to.equal('too few answers');
    expect(why(decidePromotion(B, answers([B, C], { committed: three, open }), PLAIN))).to.equal('granted');
    // Whoever knows the newer one to be committed frees the others of the older one.
    expect(why(decidePromotion(B, answers([B], { committed: membership(5, [B]) }), PLAIN))).to.equal(
      'granted',
    );
  });

  it('GoesOnWhateverIsMissingOnceTheOperatorAcceptsLoss', () => {
    const said = [
      answer(B, { committed: three, last: 5, isConfirmed: false }),
      answer(D, { committed: three, last: 7, isLeftOut: true }),
    ];
    expect(decidePromotion(B, said, LOSS)).to.deep.equal({
      kind: 'granted',
      longest: D,
      members: [B, D],
      opening: [{ share: 'majority', members: [B, D] }],
      isLossy: true,
    });
    // Where nothing is missing, nothing is lost.
    const safe = decidePromotion(B, answers([B, C], { committed: three }), LOSS);
    expect(safe).to.include({ kind: 'granted', isLossy: false });
  });
});

describe('A promotion under --acks 0', () => {
  const three = membership(1, [A, B, C], '0');

  it('NeedsTheLastPrimaryAmongTheAnswers', () => {
    const without = answers([B, C], { committed: three, lastPrimary: A });
    const refused = { kind: 'refused', reason: { why: 'primary missing', node: A } };
    expect(decidePromotion(B, without, PLAIN)).to.deep.equal(refused);
    expect(decidePromotion(B, without, OTHERS_ARE_DOWN)).to.deep.equal(refused);
    expect(decidePromotion(B, without, LOSS)).to.include({ kind: 'granted', isLossy: true });
    expect(why(decidePromotion(B, answers([A, B], { committed: three, lastPrimary: A }), PLAIN))).to.equal(
      'granted',
    );
  });

  it('AsksForThePrimaryThatOpenedTheNewestLog', () => {
    const said = [
      answer(B, { committed: three, last: 5, lastPrimary: A }),
      answer(C, { committed: three, last: 6, lastPrimary: C }),
    ];
    expect(why(decidePromotion(B, said, PLAIN))).to.equal('granted');
    expect(why(decidePromotion(B, [said[0]!, answer(C, { committed: three, last: 6 })], PLAIN))).to.equal(
      'primary missing',
    );
  });

  it('AlsoWhileItsChangeIsNotCommittedInEitherDirection', () => {
    const majority = membership(1, [A, B, C]);
    const to = { committed: majority, open: [membership(5, [A, B, C], '0')] };
    const from = { committed: three, open: [membership(5, [A, B, C])] };
    for (const said of [to, from]) {
      expect(why(decidePromotion(B, answers([B, C], said), PLAIN))).to.equal('primary missing');
      expect(why(decidePromotion(B, answers([A, B], said), PLAIN))).to.equal('granted');
    }
  });

  it('OfTheOnlyMemberNeedsNobodyElse', () => {
    const alone = membership(1, [B], '0');
    expect(why(decidePromotion(B, answers([B], { committed: alone, lastPrimary: A }), PLAIN))).to.equal(
      'granted',
    );
  });
});

describe('A promotion under --acks all', () => {
  const three = membership(1, [A, B, C], 'all');

  it('NeedsAllToOpenItsTerm', () => {
    const granted = decidePromotion(B, answers([A, B, C], { committed: three }), PLAIN);
    expect(granted).to.deep.include({
      members: undefined,
      opening: [
        { share: 'majority', members: [A, B, C] },
        { share: 'all', members: [A, B, C] },
      ],
    });
    expect(decidePromotion(B, answers([B, C], { committed: three }), PLAIN)).to.deep.equal({
      kind: 'refused',
      reason: { why: 'too few answers', membership: three, share: 'all' },
    });
  });

  it('LeavesOutWhoIsDownAndNeedsAllOfTheRest', () => {
    expect(decidePromotion(B, answers([B, C], { committed: three }), OTHERS_ARE_DOWN)).to.deep.include({
      kind: 'granted',
      members: [B, C],
      opening: [
        { share: 'majority', members: [B, C] },
        { share: 'half', members: [A, B, C] },
        { share: 'all', members: [B, C] },
      ],
    });
  });
});

describe('Two promotions without the operators word', () => {
  it('NeverGoByWithoutANodeThatAgreedToBoth', () => {
    const nodes = [A, B, C, D];
    const anyMembers = fc.subarray(nodes, { minLength: 1 });
    const anySaid = fc
      .record({ committed: anyMembers, open: fc.array(anyMembers, { maxLength: 2 }) })
      .map(({ committed, open }) => ({
        committed: membership(1, committed),
        open: open.map((members, at) => membership(at + 2, members)),
      }));
    fc.assert(
      fc.property(anySaid, fc.subarray(nodes), fc.subarray(nodes), (said, some, others) => {
        const isGranted = (agreeing: readonly NodeId[]): boolean =>
          agreeing.some(
            (candidate) => decidePromotion(candidate, answers(agreeing, said), PLAIN).kind === 'granted',
          );
        if (!isGranted(some) || !isGranted(others)) return;
        expect(some.filter((node) => others.includes(node))).to.not.deep.equal([]);
        const members = said.open.at(-1)?.members ?? said.committed.members;
        expect(isMet({ share: 'majority', members }, new Set(some))).to.equal(true);
      }),
      { numRuns: 2000 },
    );
  });
});
