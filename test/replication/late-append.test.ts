import { expect } from 'chai';
import type { ClusterId, Index, NodeId, Term } from '../../src/engine.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import { begin, step } from '../../src/replication/core.js';
import type { LinkId } from '../../src/replication/state.js';
import { chain } from '../node/frames.js';

const NOW_MS = 100_000;
const LINK = 1 as LinkId;
const TERM = 1 as Term;
const [A, B] = ['A' as NodeId, 'B' as NodeId];

describe('An append that comes late', () => {
  it('FromBeforeTheSnapshotThatTheLogBeginsWithIsNoContradiction', () => {
    const frames = chain(5);
    const last = endOf(frames[4]!);
    const members = [A, B].map((node) => ({ node, address: node }));
    const committed = {
      members,
      learners: [],
      acks: 'majority',
      failover: 'manual',
      position: EMPTY_LOG,
    } as const;
    const state = begin({
      self: B,
      cluster: 'c' as ClusterId,
      fsync: 'always',
      role: 'backup',
      term: TERM,
      vote: A,
      leftOutAt: undefined,
      lastPrimary: A,
      configurations: { committed, open: [] },
      last,
      spans: [{ term: TERM, firstIndex: last.index, isLossy: false }],
      commit: last.index,
      nowMs: NOW_MS,
      address: () => B,
    });
    const link = { id: LINK, node: A, address: A, cluster: 'c' as ClusterId } as const;
    step(state, { kind: 'link up', link: { ...link, isOutgoing: false, fsync: 'always' } }, NOW_MS, 0.5);
    const message = {
      kind: 'append',
      term: TERM,
      previous: EMPTY_LOG,
      frames: frames.slice(0, 3),
      commit: 3 as Index,
      isServing: true,
      isMember: true,
    } as const;
    const effects = step(state, { kind: 'message', link: LINK, message }, NOW_MS, 0.5);
    expect(effects.map(({ kind }) => kind)).to.not.include.members(['close link']);
    expect(state).to.include({ contradicted: undefined, last });
  });
});
