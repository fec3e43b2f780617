import { expect } from 'chai';
import type { CommandId, LinkId } from '../../src/replication/state.js';
import { DEFAULT_TIMING } from '../../src/replication/timing.js';
import { SmallCluster, TICK_MS } from './small-cluster.js';
import type { Letter } from './small-network.js';

const PROMOTE = { kind: 'promote', othersAreDown: false, acceptDataLoss: false } as const;
const TERM = 2 ** 28;
/** How often a promotion asks everybody. */
const TRIES = 3;

/** A was the primary, and asks for its place, C is gone, and B has granted no lease that still holds. */
function asksForItsPlace(): SmallCluster {
  const cluster = new SmallCluster({ failover: 'manual' });
  cluster.crash('C');
  cluster.network.isLost = ({ message }) => message.kind === 'fence';
  cluster.advance(DEFAULT_TIMING.leaseMs + TICK_MS);
  return cluster;
}

/**
 * A opens its term with what B agreed to, and B is promoted. What B said to the opening, which is all that A still needs, and then its question
 * for a vote are late.
 */
function asksWhileTheOtherOpens(): { cluster: SmallCluster; late: readonly Letter[]; command: CommandId } {
  const cluster = asksForItsPlace();
  const late: Letter[] = [];
  cluster.network.isLost = (letter) => {
    const { from, message } = letter;
    if (from === 'A') return message.kind === 'heartbeat';
    if (['append answer', 'fence'].includes(message.kind)) late.push(letter);
    return late.length > 0 && !message.kind.startsWith('survey');
  };
  cluster.until('B has what A opened with', () => late.length > 0);
  const command = cluster.command('B', PROMOTE);
  cluster.until('B asks for votes', () => cluster.state('B').attempt?.phase === 'fence');
  return { cluster, late: [...late], command };
}

function hear(cluster: SmallCluster, letters: readonly Letter[]): void {
  for (const { to, link, message } of letters) {
    cluster.input(to, { kind: 'message', link: link as LinkId, message });
  }
}

describe('A promotion while another node takes office', () => {
  it('GoesOnAndHasTheOneThatItGaveWayToHandOver', () => {
    const cluster = asksForItsPlace();
    // Nobody answers B until it has agreed to A, which it does before it asks for votes itself.
    cluster.network.isLost = ({ from, message }) => from === 'B' && message.kind === 'survey';
    const command = cluster.command('B', PROMOTE);
    cluster.until('B agrees to A', () => cluster.state('B').vote === 'A', DEFAULT_TIMING.answerMs);
    expect(cluster.answer(command)).to.equal('waits');
    cluster.network.heal();
    cluster.network.said = [];
    cluster.until('it is answered', () => cluster.answer(command) !== 'waits', 1000);
    expect([cluster.answer(command), cluster.serving()]).to.deep.equal(['done', 'B']);
    expect(cluster.network.said.some(({ message }) => message.kind === 'hand over')).to.equal(true);
  });

  it('GoesOnWhereTheOtherOneServesBetweenTheTwoQuestions', () => {
    const { cluster, late, command } = asksWhileTheOtherOpens();
    hear(cluster, late);
    expect(cluster.serving()).to.equal('A');
    cluster.network.heal();
    cluster.until('it is answered', () => cluster.answer(command) !== 'waits');
    expect([cluster.answer(command), cluster.serving()]).to.deep.equal(['done', 'B']);
  });

  it('GoesOnWhereTheOtherOneLearnsOfTheTermBeforeItIsAskedForIt', () => {
    const { cluster, late, command } = asksWhileTheOtherOpens();
    // Over another link than the question.
    const { term } = cluster.state('B');
    const message = { kind: 'heartbeat answer', term, round: 0, sentMs: 0, leaseMs: 0 } as const;
    hear(cluster, [{ ...late[0]!, message }, ...late]);
    expect(cluster.state('A')).to.include({ term, vote: 'B' });
    cluster.network.heal();
    cluster.until('it is answered', () => cluster.answer(command) !== 'waits');
    expect([cluster.answer(command), cluster.serving()]).to.deep.equal(['done', 'B']);
  });

  it('IsRefusedWhenOthersTakeOfficeAgainAndAgain', () => {
    const cluster = asksForItsPlace();
    cluster.network.isLost = ({ from }) => from === 'B';
    const command = cluster.command('B', PROMOTE);
    const link = [...cluster.state('B').links.values()].find(({ node }) => node === 'A')!;
    for (let gaveWay = 0; gaveWay < TRIES; gaveWay++) {
      expect(cluster.answer(command), `after ${String(gaveWay)} times`).to.equal('waits');
      const { term } = cluster.state('B');
      const later = (term + TERM) as typeof term;
      const fence = { kind: 'fence', term: later, attempt: 99, isHandOver: false, down: [] } as const;
      cluster.input('B', { kind: 'message', link: link.id, message: fence });
      expect(cluster.state('B')).to.include({ term: later, vote: 'A' });
    }
    expect(cluster.answer(command)).to.equal('NO_QUORUM');
    expect(cluster.state('B').attempt).to.equal(undefined);
  });

  it('IsAnsweredAndOneServesWhenTwoArePromotedAtOnce', () => {
    for (let laterMs = 0; laterMs <= 2 * DEFAULT_TIMING.answerMs; laterMs += TICK_MS) {
      const cluster = new SmallCluster({ failover: 'manual' });
      cluster.untilServes('A');
      cluster.crash('A');
      const first = cluster.command('B', PROMOTE);
      cluster.advance(laterMs);
      const second = cluster.command('C', PROMOTE);
      const what = `C ${String(laterMs)} ms later`;
      const areAnswered = (): boolean => ![first, second].some((each) => cluster.answer(each) === 'waits');
      cluster.until(`both are answered, ${what}`, areAnswered);
      expect([cluster.answer(first), cluster.answer(second)], what).to.include('done');
      cluster.advance(DEFAULT_TIMING.heartbeatMs);
      expect(cluster.serving(), what).to.have.length(1);
    }
  });

  it('DoesNotCountTheVoteForATermThatItGaveUp', () => {
    const cluster = new SmallCluster({ failover: 'auto' });
    cluster.untilServes('A');
    cluster.crash('A');
    cluster.advance(DEFAULT_TIMING.automatic.leaseMs + TICK_MS);
    // C agrees to B, and that is late. A hears none of it, and serves with what C says to it.
    let vote: Letter | undefined;
    let said: readonly string[] = ['survey', 'survey answer'];
    cluster.network.isLost = (letter) => {
      const { from, to, message } = letter;
      if (from + to === 'CB' && message.kind === 'fence answer') vote ??= letter;
      return letter === vote || (['AB', 'BA'].includes(from + to) && !said.includes(message.kind));
    };
    cluster.start('A');
    cluster.command('B', PROMOTE);
    cluster.until('C agrees to B', () => vote !== undefined);
    cluster.until('A serves', () => cluster.serving() === 'A');
    cluster.write('A');
    // From A, B learns of a later term, and nothing else.
    said = ['fence', 'fence answer'];
    cluster.until('B asks everybody anew', () => cluster.state('B').attempt?.tries === 1);
    said = [];
    cluster.until('B asks for votes again', () => cluster.state('B').attempt?.phase === 'fence');
    hear(cluster, [vote!]);
    expect(cluster.state('B').office.kind).to.equal('backup');
    cluster.network.heal();
    cluster.until('one serves', () => cluster.serving().length === 1);
  });
});
