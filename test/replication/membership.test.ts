import { expect } from 'chai';
import { Model, check, initialState } from './membership-model.js';
import type { Bounds, Planted, State } from './membership-model.js';
import { search } from './search.js';

const PAIR: Bounds = { logMax: 5, termMax: 5, crashesMax: 3, changesMax: 2, writesMax: 1 };
const THREE: Bounds = { logMax: 3, termMax: 3, crashesMax: 2, changesMax: 1, writesMax: 0 };
const LARGE: Bounds = { logMax: 4, termMax: 4, crashesMax: 2, changesMax: 1, writesMax: 0 };
const STATES_MAX = 3_000_000;

/** Names of steps, in their order. Throws when one of them cannot be taken. */
function play(model: Model, initial: State, steps: readonly string[]): State {
  let state = initial;
  for (const step of steps) {
    const next = [...model.successors(state)].find(([name]) => name === step);
    if (next === undefined) throw new Error(`refused: ${step}`);
    state = next[1];
    check(state);
  }
  return state;
}

/** A way to lose something under a simpler rule. `refusedAt` is the step that the rule as it stands does not allow. */
interface Trace {
  readonly name: string;
  readonly nodes: number;
  readonly members: number;
  readonly planted: Planted;
  readonly steps: readonly string[];
  readonly refusedAt: string;
}

const WIDE: Bounds = { logMax: 9, termMax: 9, crashesMax: 9, changesMax: 9, writesMax: 9 };

const TRACES: readonly Trace[] = [
  {
    name: 'A removal that only the crashed primary has does not let it serve alone',
    nodes: 2,
    members: 2,
    planted: 'only the newest membership binds',
    steps: [
      'A removes B',
      'A crashes',
      'B promoted by B, others are down',
      'B commits',
      'A starts',
      'A promoted by A',
      'A commits',
    ],
    refusedAt: 'A promoted by A',
  },
  {
    name: 'A node that is being added is no majority together with the primary that adds it',
    nodes: 3,
    members: 2,
    planted: 'only the newest membership binds',
    steps: [
      'A adds C',
      'A to C',
      'A crashes',
      'B promoted by B, others are down',
      'B commits',
      'A starts',
      'A promoted by AC',
      'A to C',
      'A commits',
    ],
    refusedAt: 'A promoted by AC',
  },
  {
    name: 'Half of a membership that was forced and never committed is not enough',
    nodes: 3,
    members: 3,
    planted: 'only the newest membership binds',
    steps: [
      'A crashes',
      'B promoted by BC, others are down',
      'A starts',
      'A promoted by AC',
      'A to C',
      'A commits',
      'C crashes',
      'B promoted by B, others are down',
      'B commits',
    ],
    refusedAt: 'B promoted by B, others are down',
  },
  {
    name: 'A node that is confirmed by one that does not serve is not confirmed',
    nodes: 3,
    members: 2,
    planted: 'confirmed by one that does not serve',
    steps: [
      'A adds C',
      'A to C',
      'C promoted by CAB',
      'A crashes',
      'B promoted by B, others are down',
      'B commits',
      'A starts',
      'C to A',
      'B crashes',
      'A promoted by AC, others are down',
      'A to C',
      'A commits',
    ],
    refusedAt: 'A promoted by AC, others are down',
  },
  {
    name: 'A write that was appended before a removal needs the members that it was appended under',
    nodes: 2,
    members: 2,
    planted: 'counted under the membership that comes later',
    steps: [
      'A appends a write',
      'A removes B',
      'A commits',
      'A crashes',
      'B promoted by B, others are down',
      'B commits',
    ],
    refusedAt: 'A commits',
  },
  {
    name: 'The backup of a pair that was restarted does not take over alone',
    nodes: 2,
    members: 2,
    planted: 'half without confirmation',
    steps: [
      'A crashes',
      'B promoted by B, others are down',
      'A starts',
      'B commits',
      'B crashes',
      'A promoted by A, others are down',
      'A commits',
    ],
    refusedAt: 'A promoted by A, others are down',
  },
];

describe('Memberships and promotions', () => {
  for (const { name, nodes, members, planted, steps, refusedAt } of TRACES) {
    it(name, () => {
      const initial = initialState(nodes, members);
      expect(() => play(new Model(WIDE), initial, steps)).to.throw(`refused: ${refusedAt}`);
      // The same steps under the simpler rule lose something, so it is this rule that prevents it.
      expect(() => play(new Model(WIDE, planted), initial, steps)).to.throw(/serves without|at one index/);
    });
  }

  it('LoseNothingInAnyOrderOfEventsInAPair', () => {
    const result = search(new Model(PAIR), initialState(2, 2), STATES_MAX);
    expect(result).to.include({ violation: undefined, isComplete: true });
  }).timeout(60_000);

  it('LoseNothingInAnyOrderOfEventsAmongThree', () => {
    const result = search(new Model(THREE), initialState(3, 3), STATES_MAX);
    expect(result).to.include({ violation: undefined, isComplete: true });
  }).timeout(60_000);

  if (process.env.KV_MODEL === 'large') {
    it('LoseNothingInTheLargerSearches', () => {
      for (const members of [2, 3]) {
        const result = search(new Model(LARGE), initialState(3, members), STATES_MAX);
        expect(result).to.include({ violation: undefined, isComplete: true });
      }
    }).timeout(600_000);
  }

  for (const planted of ['only the newest membership binds', 'half without confirmation'] as const) {
    it(`TheSearchFindsWhatIsWrongWith: ${planted}`, () => {
      const result = search(new Model(PAIR, planted), initialState(2, 2), STATES_MAX);
      expect(result.violation).to.not.equal(undefined);
    });
  }

  it('AMajorityOfThePairThatComesBackAfterAForcedChangeElsewhereCannotServe', () => {
    const model = new Model(WIDE);
    const initial = initialState(3, 3);
    const forced = ['A crashes', 'B promoted by BC, others are down', 'B to C', 'B commits', 'C crashes'];
    expect(() =>
      play(model, initial, [...forced, 'A starts', 'C starts', 'B crashes', 'A promoted by AC']),
    ).to.throw('refused: A promoted by AC');
  });
});
