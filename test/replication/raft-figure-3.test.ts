import { expect } from 'chai';
import { seededRandom, testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { ReplicationRules } from '../../src/replication/rules.js';
import { frameAfter } from '../node/frames.js';
import { logOf } from './begun.js';
import { Figure3 } from './figure-3.js';
import type { Seen } from './figure-3.js';
import { SmallCluster } from './small-cluster.js';
import { takeOwnLog } from './wrong-rules.js';

const RUNS = 12;
const STEPS = 250;

/** Everything that may happen to a node, one after the other, by chance. */
function disturb(cluster: SmallCluster, members: string, random: Random): void {
  const letter = random.pick(Array.from(members));
  const other = random.pick(Array.from(members));
  const isUp = cluster.runs(letter);
  switch (random.below(12)) {
    case 0:
      if (isUp) cluster.crash(letter);
      break;
    case 1:
    case 2:
      if (!isUp) cluster.start(letter);
      break;
    case 3:
      cluster.network.cutOneWay(letter, other);
      break;
    case 4:
      cluster.network.join(letter, other);
      break;
    case 5:
      if (isUp) cluster.setSlow(letter, random.below(2) === 0);
      break;
    case 6:
      if (isUp) cluster.leave(letter);
      break;
    default:
      for (const each of cluster.serving()) cluster.write(each);
  }
}

/** Answers how many entries were committed. */
function run(random: Random, members: string, rules: Partial<ReplicationRules> = {}): number {
  const cluster = new SmallCluster({ members, rules, chance: () => random.next() });
  cluster.network.weather = { random, lostShare: 0.05, doubledShare: 0.05, lateMaxMs: 120 };
  for (let step = 0; step < STEPS; step++) {
    disturb(cluster, members, random);
    cluster.advance(20 * random.below(12));
  }
  cluster.network.heal();
  for (const letter of members) {
    if (!cluster.runs(letter)) cluster.start(letter);
    cluster.setSlow(letter, false);
  }
  const isCalm = (): boolean => {
    const [one, ...others] = Array.from(members).map((letter) => cluster.entriesOf(letter).join());
    return cluster.serving().length === 1 && others.every((log) => log === one);
  };
  cluster.until('one serves, and all have what it has', isCalm, 30_000);
  return cluster.figure3.committed;
}

function seen(name: string, terms: readonly number[], other: Partial<Seen> = {}): Seen {
  return { name, life: 1, term: 9, isPrimary: false, base: EMPTY_LOG, log: logOf(terms), ...other };
}

describe('Figure 3 of the Raft paper', () => {
  for (const members of ['ABC', 'ABCDE']) {
    it(`Figure3 AllFivePropertiesHoldAtEachStepWhateverHappensTo ${String(members.length)}`, () =>
      withSeed(testSeed(), (random) => {
        let committed = 0;
        for (let at = 0; at < RUNS; at++) committed += run(random, members);
        expect(committed).to.be.greaterThan(RUNS * 10);
      })).timeout(120_000);
  }

  it('Figure3 ElectionSafetyIsSeenBrokenWhereATermIsTakenTwice', () => {
    expect(() => run(seededRandom(1), 'ABC', { takesNewTerm: false })).to.throw('Election Safety');
  }).timeout(60_000);

  it('Figure3 LeaderCompletenessIsSeenBrokenWhereTheLongestLogIsNotFetched', () => {
    expect(() => {
      for (let seed = 1; seed < 20; seed++) run(seededRandom(seed), 'ABC', { decidePromotion: takeOwnLog });
    }).to.throw('Leader Completeness');
  }).timeout(60_000);

  it('Figure3 LeaderAppendOnlyIsSeenBroken', () => {
    const figure3 = new Figure3();
    figure3.stepped(seen('A', [1, 1, 9], { isPrimary: true }));
    figure3.stepped(seen('A', [1, 1, 9, 9], { isPrimary: true }));
    expect(() => {
      figure3.stepped(seen('A', [1, 1, 9], { isPrimary: true }));
    }).to.throw('Leader Append-Only');
  });

  it('Figure3 LogMatchingIsSeenBroken', () => {
    const figure3 = new Figure3();
    figure3.logMatching(seen('A', [1, 1, 2]), seen('B', [1, 1, 3]));
    const [first] = logOf([1]);
    const other = frameAfter(endOf(first!), { term: first!.term, valueBytes: 7 });
    const log = [first!, other];
    expect(() => {
      figure3.logMatching(seen('A', [1, 1]), seen('B', [], { log }));
    }).to.throw('Log Matching');
  });

  it('Figure3 StateMachineSafetyIsSeenBroken', () => {
    const figure3 = new Figure3();
    figure3.applied(seen('A', [1, 1, 2]), 3);
    figure3.applied(seen('B', [1, 1, 3]), 2);
    expect(() => {
      figure3.applied(seen('B', [1, 1, 3]), 3);
    }).to.throw('State Machine Safety');
  });
});
