import { expect } from 'chai';
import type { AcksPolicy, Index, NodeId, Term } from '../../src/engine.js';
import { controlFrame } from '../../src/log/control.js';
import type { Configuration, PlacedConfiguration } from '../../src/log/control.js';
import type { Frame } from '../../src/log/frame.js';
import { committedAtStart, configurationsAtStart } from '../../src/replication/beginning.js';
import { frameOf, range } from '../log/frames.js';

const [A, B] = ['a', 'b'].map((digit) => digit.repeat(32)) as [NodeId, NodeId];
const ALONE = configuration(A);
const WITH_B = configuration(A, B);

function configuration(...nodes: NodeId[]): Configuration {
  const members = nodes.map((node) => ({ node, address: `${node.slice(0, 1)}:7001` }));
  return { members, learners: [], acks: 'majority', failover: 'manual' };
}

function operations(index: number): Frame {
  const put = { kind: 'put', key: range('k'), value: range('v') } as const;
  return frameOf([put, put], { index });
}

function changeTo(next: Configuration, index: number): Frame {
  const previous = { term: 1 as Term, index: (index - 1) as Index, checksum: 0 };
  return controlFrame({ kind: 'configure', configuration: next }, 1 as Term, previous);
}

/** Which of these frames count as committed. */
function committed(
  frames: readonly Frame[],
  known: Partial<Parameters<typeof committedAtStart>[0]>,
): boolean[] {
  const isCommitted = committedAtStart({
    self: A,
    configuration: ALONE,
    leftOutAt: undefined,
    commit: 0 as Index,
    ...known,
  });
  return frames.map(isCommitted);
}

describe('What a node takes for committed when it starts', () => {
  it('IsAllOfItsLogWhileItWasTheOnlyMember', () => {
    const frames = [operations(1), operations(3), operations(5)];
    expect(committed(frames, {})).to.deep.equal([true, true, true]);
    expect(committed(frames, { configuration: undefined })).to.deep.equal([true, true, true]);
  });

  it('EndsBeforeTheEntryThatAddsAnotherMember', () => {
    const frames = [operations(1), changeTo(WITH_B, 3), operations(4), changeTo(ALONE, 6), operations(7)];
    // Also behind the entry that would leave it alone again: that one may not be committed itself.
    expect(committed(frames, {})).to.deep.equal([true, false, false, false, false]);
    expect(committed(frames, { commit: 5 as Index })).to.deep.equal([true, true, true, false, false]);
  });

  it('GoesOnPastAnEntryThatAddsALearner', () => {
    const learning = { ...ALONE, learners: [{ node: B, address: 'b:7001' }] };
    expect(committed([changeTo(learning, 1), operations(2)], {})).to.deep.equal([true, true]);
  });

  it('IsOnlyWhatIsKnownWithOtherMembersOrWhenItIsLeftOut', () => {
    const frames = [operations(1), operations(3)];
    const commit = 2 as Index;
    const leftOutAt = { term: 1 as Term, index: 2 as Index };
    expect(committed(frames, { configuration: WITH_B, commit })).to.deep.equal([true, false]);
    expect(committed(frames, { leftOutAt, commit })).to.deep.equal([true, false]);
    expect(committed(frames, { configuration: configuration(B), commit })).to.deep.equal([true, false]);
    expect(committed(frames, { configuration: configuration(), commit })).to.deep.equal([true, false]);
  });

  it('NeverCountsHalfOfAFrame', () => {
    expect(
      committed([operations(1), operations(3)], { configuration: WITH_B, commit: 3 as Index }),
    ).to.deep.equal([true, false]);
  });
});

describe('The configurations of a log at the start', () => {
  const placed = (index: number, acks: AcksPolicy = 'majority'): PlacedConfiguration => ({
    ...WITH_B,
    acks,
    position: { term: 1 as Term, index: index as Index },
  });
  const at = (index: number) => ({ term: 1 as Term, index: index as Index });

  it('AreTheLastCommittedOneAndThoseBehindTheCommit', () => {
    const all = [placed(2), placed(5), placed(8)];
    const begins = (commit: number) => configurationsAtStart(placed(2), all, at(commit));
    expect(begins(4)).to.deep.equal({ committed: placed(2), open: [placed(5), placed(8)] });
    expect(begins(5)).to.deep.equal({ committed: placed(5), open: [placed(8)] });
    expect(begins(9)).to.deep.equal({ committed: placed(8), open: [] });
  });

  it('ForgetThoseBeforeTheOneThatIsKnown', () => {
    const known = placed(6, 'all');
    expect(configurationsAtStart(known, [placed(2), placed(6)], at(6))).to.deep.equal({
      committed: known,
      open: [],
    });
    expect(configurationsAtStart(known, [], at(0))).to.deep.equal({ committed: known, open: [] });
  });
});
