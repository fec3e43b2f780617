import { expect } from 'chai';
import type { ClusterId, Index, NodeId, Term } from '../../src/engine.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import { addToSpans } from '../../src/log/history.js';
import type { TermSpan } from '../../src/log/history.js';
import { begin, step } from '../../src/replication/core.js';
import { takeOffice } from '../../src/replication/leading.js';
import type { Message } from '../../src/replication/message.js';
import { shownAsOfMs } from '../../src/replication/standing.js';
import type { Effect, Input, LinkId, ReplicaState } from '../../src/replication/state.js';
import { chain, frameAfter } from '../node/frames.js';

const NOW_MS = 100_000;
const TERM = 4 as Term;
const LINK = 1 as LinkId;
const [A, B, C] = ['A', 'B', 'C'] as unknown as readonly [NodeId, NodeId, NodeId];
const FRAMES = chain(10);
const LAST = endOf(FRAMES.at(-1)!);

function nodeOf(self: NodeId, members: readonly NodeId[], commit: number): ReplicaState {
  const spans: TermSpan[] = [];
  for (const frame of FRAMES) addToSpans(spans, frame);
  const peers = members.map((node) => ({ node, address: `${node}:1` }));
  const position = { term: 1 as Term, index: 1 as Index };
  return begin({
    self,
    cluster: 'c' as ClusterId,
    fsync: 'always',
    role: 'backup',
    term: TERM,
    vote: A,
    leftOutAt: undefined,
    lastPrimary: undefined,
    configurations: {
      committed: { members: peers, learners: [], acks: 'majority', failover: 'manual', position },
      open: [],
    },
    last: LAST,
    spans,
    commit: commit as Index,
    nowMs: NOW_MS,
    address: () => `${self}:1`,
  });
}

function linkUp(node: NodeId, id = LINK): Input {
  const link = { id, node, address: `${node}:1`, cluster: 'c' as ClusterId, isOutgoing: true } as const;
  return { kind: 'link up', link: { ...link, fsync: 'always' } };
}

describe('How old what a backup shows may be', () => {
  interface Backup {
    readonly hear: (commit: number, echoMs: number | undefined, applied?: number) => void;
    /** Frames that it has up to there, all of which are committed. */
    readonly append: (commit: number, echoMs: number | undefined, applied?: number) => void;
    readonly shown: (applied?: number) => unknown;
    readonly state: ReplicaState;
  }

  function backup(): Backup {
    const state = nodeOf(B, [A, B, C], 5);
    step(state, linkUp(A), NOW_MS, 0.5);
    return {
      state,
      hear: (commit, echoMs, applied) => {
        const heartbeat = { kind: 'heartbeat', term: TERM, last: LAST, commit: commit as Index } as const;
        const message: Message = {
          ...heartbeat,
          round: 1,
          isServing: true,
          isMember: true,
          leaseMs: 0,
          echoMs,
        };
        step(
          state,
          { kind: 'message', link: LINK, message, applied: applied as Index | undefined },
          NOW_MS,
          0.5,
        );
      },
      append: (commit, echoMs, applied) => {
        const append = {
          kind: 'append',
          term: TERM,
          previous: EMPTY_LOG,
          frames: FRAMES.slice(0, commit),
        } as const;
        const message: Message = {
          ...append,
          commit: commit as Index,
          isServing: true,
          isMember: true,
          echoMs,
        };
        step(
          state,
          { kind: 'message', link: LINK, message, applied: applied as Index | undefined },
          NOW_MS,
          0.5,
        );
      },
      shown: (applied = state.commit) => shownAsOfMs(state, applied as Index),
    };
  }

  it('IsNotKnownBeforeAPrimaryThatIsSureOfItsPlaceHasToldIt', () => {
    const { hear, shown } = backup();
    expect(shown()).to.equal(undefined);
    hear(5, undefined);
    expect(shown()).to.equal(undefined);
    hear(5, 99_000);
    expect(shown()).to.equal(99_000);
  });

  it('IsToldByAnAppendAsByAHeartbeat', () => {
    const { append, shown } = backup();
    append(6, 99_000);
    expect(shown(6)).to.equal(99_000);
    append(8, undefined);
    expect(shown(8)).to.equal(99_000);
    append(9, 99_500);
    expect(shown(8), 'not of what is not applied yet').to.equal(undefined);
    expect(shown(9)).to.equal(99_500);
  });

  it('IsKnownOnlyOfWhatWasApplied', () => {
    const { hear, shown } = backup();
    hear(5, 99_000);
    expect(shown(4)).to.equal(undefined);
    expect(shown(5)).to.equal(99_000);
  });

  it('IsKnownWhileWhatIsCommittedIsNotAppliedYet', () => {
    const { append, hear, shown } = backup();
    hear(5, 99_000, 5);
    append(6, 99_100, 5);
    expect(shown(5)).to.equal(99_000);
    append(7, 99_200, 5);
    hear(7, 99_300, 5);
    expect(shown(5), 'what was known of what is shown').to.equal(99_000);
    expect(shown(6), 'the first that was not').to.equal(99_100);
    hear(7, 99_400, 7);
    expect(shown(7)).to.equal(99_400);
  });

  it('ComesToBeKnownHoweverFarApplyingIsBehind', () => {
    const { append, shown } = backup();
    const seen: unknown[] = [];
    for (let commit = 6; commit <= 10; commit++) {
      append(commit, 99_000 + commit, commit - 2);
      seen.push(shown(commit - 2));
    }
    // Each is waited for until it is shown, and only then is another one waited for.
    expect(seen).to.deep.equal([undefined, undefined, 99_006, 99_006, 99_008]);
  });

  it('ComesToBeKnownHoweverFastCommitsCome', () => {
    const { hear, shown } = backup();
    hear(5, 98_000);
    // None of these is known to be the same here, so none is committed yet.
    hear(7, 98_500);
    hear(8, 98_600);
    hear(9, 98_700);
    expect(shown(6)).to.equal(98_000);
    expect(shown(7), 'the first of them was waited for').to.equal(98_500);
  });

  it('NeverGoesBackWhenAnOldWordComesLate', () => {
    const { hear, shown } = backup();
    hear(5, 99_000);
    hear(5, 98_000);
    hear(4, 97_000);
    expect(shown()).to.equal(99_000);
  });

  it('IsNotKnownWhileASnapshotTakesThePlaceOfWhatIsShown', () => {
    const { hear, shown, state } = backup();
    const input = (given: Input): unknown => step(state, given, NOW_MS, 0.5);
    hear(5, 99_000, 5);
    // Of another history, and shorter than what is committed and applied here.
    const end = { term: TERM, index: 7 as Index, checksum: 1 };
    const { committed: configuration } = state.configurations!;
    const part = { term: TERM, end, configuration, offset: 0, bytes: Buffer.alloc(1), isLast: true } as const;
    input({ kind: 'message', link: LINK, message: { kind: 'snapshot part', ...part, lossAccepted: true } });
    input({ kind: 'received', end, offset: 1, isWhole: true });
    expect(shown(9)).to.equal(undefined);
    hear(8, 99_500, 9);
    expect(shown(9)).to.equal(undefined);
    input({ kind: 'replaced', end });
    expect(shown(7), 'what reached so far was not what was longer').to.equal(99_000);
    hear(7, 99_600, 7);
    expect(shown(7)).to.equal(99_600);
  });

  it('IsForgottenWithThePrimaryThatToldIt', () => {
    const { hear, shown } = backup();
    hear(5, 99_000);
    expect(shown()).to.equal(99_000);
    const state = nodeOf(B, [A, B, C], 5);
    expect(shownAsOfMs(state, 5 as Index)).to.equal(undefined);
  });
});

describe('A primary gives back the time of an answer', () => {
  class Primary {
    readonly state: ReplicaState;
    nowMs = NOW_MS;

    constructor(members: readonly NodeId[]) {
      this.state = nodeOf(A, members, 10);
      const effects: Effect[] = [];
      const opening = [{ share: 'majority', members: [A] }] as const;
      const grant = { kind: 'granted', longest: A, members: undefined, opening, isLossy: false } as const;
      takeOffice({ state: this.state, nowMs: NOW_MS, random: 0.5, effects }, grant, undefined, new Map());
      this.input({ kind: 'durable', index: this.state.last.index });
      this.input(linkUp(B));
    }

    /** B has everything and is fed what comes. */
    streams(): void {
      const { index } = this.state.last;
      const probe = { kind: 'probe answer', term: TERM, probe: 1, matched: index, durable: index } as const;
      this.input({ kind: 'message', link: LINK, message: { ...probe, wantsSnapshot: false } });
    }

    input(input: Input): Effect[] {
      return step(this.state, input, this.nowMs, 0.5);
    }

    /** The answer of B to the newest heartbeat. */
    answer(sentMs: number, link = LINK): void {
      const { office } = this.state;
      const round = office.kind === 'primary' ? office.round : 0;
      const message = { kind: 'heartbeat answer', term: TERM, round, sentMs, leaseMs: 3000 } as const;
      this.input({ kind: 'message', link, message });
    }

    /** B has something durably, and says when it said so. */
    acknowledge(sentMs: number, link = LINK): void {
      const { index } = LAST;
      const message = { kind: 'append answer', term: TERM, matched: index, durable: index, sentMs } as const;
      this.input({ kind: 'message', link, message });
    }

    /** What the next append to B gives back. */
    appendEcho(): number | undefined {
      const { term, last } = this.state;
      const frame = frameAfter(last, { term });
      const after = last.index;
      this.input({ kind: 'propose', frame });
      const effects = this.input({ kind: 'fed', peer: B, link: LINK, after, frames: [frame] });
      const sent = effects.flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []));
      return sent.find((message) => message.kind === 'append')?.echoMs;
    }

    /** What the next heartbeat to B gives back. */
    echo(): number | undefined {
      const effects = this.input({ kind: 'confirm reads' });
      const sent = effects.flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []));
      return sent.find((message) => message.kind === 'heartbeat')?.echoMs;
    }
  }

  it('OnceItHasOne', () => {
    const primary = new Primary([A, B]);
    expect(primary.echo()).to.equal(undefined);
    primary.answer(7_000);
    expect(primary.echo()).to.equal(7_000);
    primary.answer(6_000);
    expect(primary.echo(), 'an old one that came late').to.equal(7_000);
  });

  it('OfAnAcknowledgementToo', () => {
    const primary = new Primary([A, B]);
    primary.acknowledge(7_000);
    expect(primary.echo()).to.equal(7_000);
    primary.acknowledge(8_000, 2 as LinkId);
    expect(primary.echo(), 'of another link').to.equal(7_000);
  });

  it('WithAnAppendWhileItIsSureOfItsPlace', () => {
    const primary = new Primary([A, B, C]);
    primary.streams();
    primary.acknowledge(7_000);
    expect(primary.appendEcho(), 'no lease yet').to.equal(undefined);
    primary.echo();
    primary.answer(7_500);
    expect(primary.appendEcho()).to.equal(7_500);
    primary.nowMs += primary.state.timing.leaseMs;
    expect(primary.appendEcho()).to.equal(undefined);
  });

  it('OnlyWhileItIsSureOfItsPlace', () => {
    const primary = new Primary([A, B, C]);
    primary.echo();
    primary.answer(7_000);
    expect(primary.echo()).to.equal(7_000);
    primary.nowMs += primary.state.timing.leaseMs;
    expect(primary.echo()).to.equal(undefined);
  });

  it('NotWhileItsClocksAreApart', () => {
    const primary = new Primary([A, B, C]);
    primary.echo();
    primary.answer(7_000);
    primary.input({ kind: 'clocks parted', atMs: primary.nowMs });
    // The answer to a heartbeat of before, which was written while this machine was suspended.
    primary.answer(9_000);
    expect(primary.echo()).to.equal(undefined);
    primary.nowMs++;
    primary.echo();
    primary.answer(9_500);
    expect(primary.echo()).to.equal(9_500);
  });

  it('NeverToAnotherLife', () => {
    const primary = new Primary([A, B]);
    primary.answer(7_000);
    const second = 2 as LinkId;
    primary.input({ kind: 'link down', link: LINK });
    primary.input(linkUp(B, second));
    expect(primary.echo()).to.equal(undefined);
  });
});
