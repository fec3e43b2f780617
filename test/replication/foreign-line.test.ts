import { expect } from 'chai';
import type { ClusterId, Index, NodeId, Term } from '../../src/engine.js';
import { endOf } from '../../src/log/frame.js';
import { addToSpans } from '../../src/log/history.js';
import type { TermSpan } from '../../src/log/history.js';
import { open } from '../../src/replication/opening.js';
import { begin, step } from '../../src/replication/core.js';
import type { PromotionGrant } from '../../src/replication/promotion.js';
import type { Attempt, CommandId, Effect, LinkId, ReplicaState } from '../../src/replication/state.js';
import { chain } from '../node/frames.js';

const NOW_MS = 100_000;
const COMMAND = 1 as CommandId;
const [A, B] = ['A', 'B'] as unknown as readonly [NodeId, NodeId];
const FRAMES = chain(10);

/** A node that has fetched a log, by which these are the members. */
function nodeThatFetched(members: readonly NodeId[]): ReplicaState {
  const spans: TermSpan[] = [];
  for (const frame of FRAMES) addToSpans(spans, frame);
  const peers = members.map((node) => ({ node, address: `${node}:1` }));
  const position = { term: 1 as Term, index: 1 as Index };
  return begin({
    self: B,
    cluster: 'c' as ClusterId,
    fsync: 'always',
    role: 'backup',
    term: 4 as Term,
    vote: B,
    leftOutAt: undefined,
    lastPrimary: undefined,
    configurations: {
      committed: { members: peers, learners: [], acks: 'majority', failover: 'manual', position },
      open: [],
    },
    last: endOf(FRAMES.at(-1)!),
    spans,
    commit: 10 as Index,
    nowMs: NOW_MS,
    address: () => 'B:1',
  });
}

function opened(state: ReplicaState, members: readonly NodeId[] | undefined): Effect[] {
  const grant: PromotionGrant = {
    kind: 'granted',
    longest: A,
    members,
    opening: [{ share: 'majority', members: [B] }],
    isLossy: members !== undefined,
  };
  const attempt = {
    number: 1,
    purpose: { kind: 'promote', command: COMMAND, othersAreDown: false, acceptDataLoss: false },
    phase: 'fetch',
    own: state.last,
    startedMs: NOW_MS,
    peers: new Map(),
    surveyed: new Map(),
    handOverFrom: undefined,
    grant,
  } as unknown as Attempt;
  state.attempt = attempt;
  const effects: Effect[] = [];
  open({ state, nowMs: NOW_MS, random: 0.5, effects }, attempt);
  return effects;
}

describe('A node that takes over with a log that it fetched', () => {
  it('TakesNoOfficeWhereItIsNoMemberByThatLog', () => {
    const state = nodeThatFetched([A]);
    const effects = opened(state, undefined);
    const answers = effects.flatMap((effect) => (effect.kind === 'answer' ? [effect.outcome] : []));
    expect(answers).to.have.nested.property('[0].code', 'NOT_MEMBER');
    expect(state.office.kind).to.equal('backup');
    expect(effects.map(({ kind }) => kind)).to.not.include('append');
  });

  it('TakesItWhereItIsOneOrIsMadeOneByThePromotionItself', () => {
    for (const [members, granted] of [
      [[A, B], undefined],
      [[A], [B]],
    ] as const) {
      const state = nodeThatFetched(members);
      opened(state, granted);
      expect(state.office.kind).to.equal('primary');
    }
  });
});

describe('A node that wants to take over', () => {
  /** It asks A, which is linked or not, and is then told that A cannot be reached. Answers whether it has given up. */
  function givesUp(isLinked: boolean): boolean {
    const state = nodeThatFetched([A, B]);
    const link = { id: 1 as LinkId, node: A, address: 'A:1', cluster: 'c' as ClusterId } as const;
    if (isLinked)
      step(state, { kind: 'link up', link: { ...link, isOutgoing: false, fsync: 'always' } }, NOW_MS, 0.5);
    const change = { kind: 'promote', othersAreDown: false, acceptDataLoss: false } as const;
    step(state, { kind: 'command', command: COMMAND, change }, NOW_MS, 0.5);
    step(state, { kind: 'unreachable', node: A }, NOW_MS, 0.5);
    return state.attempt === undefined;
  }

  it('WaitsForTheAnswerOfOneThatItCannotReachAndThatIsLinkedToIt', () => {
    expect(givesUp(true)).to.equal(false);
  });

  it('WaitsForNobodyWhoIsNeither', () => {
    expect(givesUp(false)).to.equal(true);
  });
});
