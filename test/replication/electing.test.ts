import { expect } from 'chai';
import type { Message } from '../../src/replication/message.js';
import { isWilling, mayStand, wantsElection } from '../../src/replication/electing.js';
import { DEFAULT_TIMING } from '../../src/replication/timing.js';
import type { ReplicaState } from '../../src/replication/state.js';
import { CLUSTER, NOW_MS, linkOf, logOf, named, nodeOf, peerOf, placed, termOf } from './begun.js';
import { SmallCluster } from './small-cluster.js';

const { electionMinMs, electionMaxMs, heartbeatMs } = DEFAULT_TIMING.automatic;
const LATER_MS = NOW_MS + 10_000;

/** B, which has followed A for long, and heard it just now. */
function backup(): ReplicaState {
  const state = nodeOf({ self: 'B', frames: logOf([1]), vote: 'A' });
  state.tickedMs = LATER_MS;
  if (state.office.kind === 'primary') throw new Error('it is a backup');
  state.office.primary = peerOf('A');
  state.office.heardMs = LATER_MS;
  return state;
}

function willing(state: ReplicaState, asker: string, nowMs: number): boolean {
  state.tickedMs = Math.max(state.tickedMs, nowMs - 1);
  return isWilling({ state, nowMs, random: 0.5, effects: [] }, linkOf(asker));
}

describe('A voter is willing', () => {
  it('OnceItHasNotHeardThePrimaryForTheShortestElectionTimeoutAndNotBefore', () => {
    const state = backup();
    expect(willing(state, 'C', LATER_MS + electionMinMs - 1)).to.equal(false);
    expect(willing(state, 'C', LATER_MS + electionMinMs)).to.equal(true);
  });

  it('AtOnceWhereThePrimaryItselfAsksAndNotACopyOfItElsewhere', () => {
    const state = backup();
    expect(willing(state, 'A', LATER_MS)).to.equal(true);
    const elsewhere = { ...linkOf('A'), address: 'other:1', cluster: CLUSTER };
    expect(isWilling({ state, nowMs: LATER_MS, random: 0.5, effects: [] }, elsewhere)).to.equal(false);
  });

  it('OnceItIsLongEnoughAgoThatItAgreedToAnother', () => {
    const state = backup();
    if (state.office.kind === 'backup') state.office.primary = undefined;
    state.vote = named('D');
    state.votedMs = LATER_MS;
    expect(willing(state, 'D', LATER_MS), 'to that one again').to.equal(true);
    expect(willing(state, 'C', LATER_MS + electionMinMs - 1)).to.equal(false);
    expect(willing(state, 'C', LATER_MS + electionMinMs)).to.equal(true);
  });

  it('NotRightAfterItStarted', () => {
    const state = nodeOf({ self: 'B', frames: logOf([1]) });
    expect(willing(state, 'C', NOW_MS + electionMinMs - 1)).to.equal(false);
    expect(willing(state, 'C', NOW_MS + electionMinMs)).to.equal(true);
  });

  it('NotWhileItIsBecomingPrimaryItself', () => {
    const cluster = new SmallCluster();
    cluster.untilServes('A');
    cluster.advance(500);
    cluster.crash('A');
    cluster.network.isLost = ({ message: { kind } }) => kind === 'fence answer';
    cluster.until('B asks for votes', () => cluster.state('B').attempt?.phase === 'fence', 3000);
    expect(willing(cluster.state('B'), 'C', cluster.nowMs)).to.equal(false);
    expect(willing(cluster.state('B'), 'B', cluster.nowMs)).to.equal(false);
  });

  it('NotRightAfterAPause', () => {
    const state = backup();
    const nowMs = LATER_MS + electionMinMs;
    const asked = (): boolean => isWilling({ state, nowMs, random: 0.5, effects: [] }, linkOf('C'));
    state.tickedMs = nowMs - electionMinMs / 2;
    expect(asked()).to.equal(true);
    state.tickedMs--;
    expect(asked()).to.equal(false);
    state.tickedMs = nowMs;
    state.awakeFromMs = nowMs - 2 * heartbeatMs + 1;
    expect(asked()).to.equal(false);
    state.awakeFromMs--;
    expect(asked()).to.equal(true);
  });
});

describe('A backup wants to be primary', () => {
  it('OnceItsPatienceIsAtAnEndAndNotBefore', () => {
    const state = backup();
    state.patienceMs = 700;
    expect(wantsElection(state, LATER_MS + 699)).to.equal(false);
    expect(wantsElection(state, LATER_MS + 700)).to.equal(true);
    state.askAtMs = LATER_MS + 800;
    expect(wantsElection(state, LATER_MS + 799)).to.equal(false);
    expect(wantsElection(state, LATER_MS + 800)).to.equal(true);
  });

  it('OnlyAsAMemberThatTakesPartWithAllOfItsContentUnderTheAutomaticPolicy', () => {
    const stands = (change: (state: ReplicaState) => void): boolean => {
      const state = backup();
      change(state);
      return mayStand(state);
    };
    expect(stands(() => undefined)).to.equal(true);
    expect(stands((state) => (state.leftOutAt = { term: termOf(1), index: state.commit }))).to.equal(false);
    expect(stands((state) => (state.isReplacing = true))).to.equal(false);
    expect(stands((state) => (state.configurations = undefined))).to.equal(false);
    const under = (configuration: ReturnType<typeof placed>): boolean =>
      stands((state) => (state.configurations = { committed: configuration, open: [] }));
    expect(under(placed('ABC', { failover: 'manual' }))).to.equal(false);
    expect(under(placed('AC'))).to.equal(false);
    expect(under(placed('AC', { learners: 'B' }))).to.equal(false);
  });

  it('NotBeforeItHasHeardWhatCameWhileItWasPaused', () => {
    const cluster = new SmallCluster();
    cluster.untilServes('A');
    cluster.advance(500);
    cluster.pause('B');
    cluster.advance(5000);
    cluster.network.said = [];
    // It looks at the clock before it hears anything.
    cluster.input('B', { kind: 'tick' });
    cluster.resume('B');
    cluster.advance(3000);
    const asked = cluster.network.said.some(
      ({ from, message: { kind } }) => from === 'B' && kind === 'survey',
    );
    expect(asked).to.equal(false);
  });
});

describe('A primary that hears no majority', () => {
  /** Since when C, the last one that it hears, was not heard. */
  function alone(): { cluster: SmallCluster; heardMs: number } {
    const cluster = new SmallCluster();
    cluster.untilServes('A');
    cluster.advance(500);
    cluster.crash('B');
    cluster.crash('C');
    const heardMs = Math.max(...[...cluster.office('A').progress.values()].map((each) => each.heardMs));
    return { cluster, heardMs };
  }

  /** It looks at the clock often enough, and the last time at this moment. */
  function tickUntil(cluster: SmallCluster, nowMs: number): void {
    while (cluster.nowMs < nowMs) {
      cluster.nowMs = Math.min(nowMs, cluster.nowMs + 100);
      cluster.input('A', { kind: 'tick' });
    }
  }

  it('StaysForTheLongestElectionTimeoutAndGoesOnePastIt', () => {
    const { cluster, heardMs } = alone();
    tickUntil(cluster, heardMs + electionMaxMs);
    expect(cluster.serving()).to.equal('A');
    tickUntil(cluster, heardMs + electionMaxMs + 1);
    expect(cluster.serving()).to.equal('');
    expect(cluster.state('A').wantsPlace).to.equal(true);
  });

  it('CountsFromWhenItWokeWhereItWasPaused', () => {
    const { cluster } = alone();
    cluster.nowMs += 10_000;
    const wokenMs = cluster.nowMs;
    cluster.input('A', { kind: 'tick' });
    tickUntil(cluster, wokenMs + electionMaxMs);
    expect(cluster.serving()).to.equal('A');
    tickUntil(cluster, wokenMs + electionMaxMs + 1);
    expect(cluster.serving()).to.equal('');
  });

  it('StaysWhereAPersonMakesThePrimary', () => {
    const cluster = new SmallCluster({ failover: 'manual' });
    cluster.untilServes('A');
    cluster.isolate('A');
    cluster.advance(20_000);
    expect(cluster.serving()).to.equal('A');
  });
});

describe('What a node that takes over is told', () => {
  const takeOver = (cluster: SmallCluster, from: string, change: Partial<Message> = {}): string => {
    const link = [...cluster.state('B').links.values()].find(({ node }) => node === from)!;
    const { term } = cluster.state('B');
    const message = { kind: 'take over', term, ...change } as Message;
    cluster.input('B', { kind: 'message', link: link.id, message });
    return cluster.state('B').attempt?.purpose.kind ?? 'nothing';
  };

  function serving(failover: 'manual' | 'auto' = 'auto'): SmallCluster {
    const cluster = new SmallCluster({ failover });
    cluster.untilServes('A');
    cluster.advance(500);
    return cluster;
  }

  it('IsTakenFromThePrimaryOfItsTermAlone', () => {
    expect(takeOver(serving(), 'A')).to.equal('elect');
    expect(takeOver(serving(), 'A', { term: termOf(1) })).to.equal('nothing');
    expect(takeOver(serving(), 'A', { term: termOf(9) })).to.equal('nothing');
    expect(takeOver(serving(), 'C'), 'a lie').to.equal('nothing');
  });

  it('IsNothingToWhoeverMayNotStand', () => {
    expect(takeOver(serving('manual'), 'A')).to.equal('nothing');
  });

  it('ClosesTheLinkToWhoeverSaysItAndIsNotThePrimary', () => {
    const cluster = serving();
    const before = cluster.state('B').refused.size;
    takeOver(cluster, 'C');
    expect(cluster.state('B').refused.size).to.equal(before + 1);
  });

  it('IsWaitedForWithAnOperatorsPromotionUnderWay', () => {
    const cluster = serving();
    cluster.network.isLost = () => true;
    cluster.command('B', { kind: 'promote', othersAreDown: false, acceptDataLoss: false });
    expect(takeOver(cluster, 'A')).to.equal('promote');
  });
});
