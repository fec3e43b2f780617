import { expect } from 'chai';
import type { LinkId } from '../../src/replication/state.js';
import { DEFAULT_TIMING } from '../../src/replication/timing.js';
import { SmallCluster, TICK_MS } from './small-cluster.js';
import type { Letter } from './small-network.js';

const PROMOTE = { kind: 'promote', othersAreDown: false, acceptDataLoss: false } as const;
describe('A promotion while another node takes office', () => {
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
    const { link, message } = vote!;
    cluster.input('B', { kind: 'message', link: link as LinkId, message });
    expect(cluster.state('B').office.kind).to.equal('backup');
    cluster.network.heal();
    cluster.until('one serves', () => cluster.serving().length === 1);
  });
});
