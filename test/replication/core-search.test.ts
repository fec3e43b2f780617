import { expect } from 'chai';
import { testSeed, withSeed } from '../random.js';
import { LARGE, USUAL, WIDE } from './core-search-cases.js';
import type { Case } from './core-search-cases.js';
import { PLANTED } from './core-search-planted.js';
import { copyState } from './core-search-copy.js';
import { established, explore, played, wander } from './core-search-explore.js';
import type { Found } from './core-search-explore.js';
import { successors } from './core-search-moves.js';
import { NOW_MS } from './core-search-world.js';
import type { World } from './core-search-world.js';

const IS_LARGE = process.env.KV_CORE_SEARCH === 'large';
const WALKS = 40;
const LARGE_WALKS = 5000;
const STEPS_A_WALK = 250;
const STATES_MAX = 200_000;
const LARGE_STATES_MAX = 1_500_000;
const PASSED_MS = 400;
/** A length of time, and what another node's clock said. */
const OTHER_TIMES: ReadonlySet<string> = new Set(['waitMs', 'echoMs', 'sentMs', 'leaseMs', 'patienceMs']);

function show({ states, transitions, depth, isComplete, violation, trace }: Found): string {
  const count = `${String(states)} worlds, ${String(transitions)} steps between them, ${String(depth)} steps deep`;
  const steps = trace.map((step) => `\n        ${step}`).join('');
  const end = violation === undefined ? '' : `; ${violation}${steps}`;
  return `${count}${isComplete ? ', closed' : ''}${end}`;
}

function print(text: string): void {
  process.stdout.write(`      ${text}\n`);
}

/** The worlds that are the nearest. */
function someWorlds({ bounds }: Case, count: number): World[] {
  const worlds = [established(bounds)];
  for (let at = 0; at < worlds.length && worlds.length < count; at++) {
    for (const { world } of successors(worlds[at]!, bounds)) if (world !== undefined) worlds.push(world);
  }
  return worlds;
}

/** What a state is made of, as plain data. `timesBy` is added to every time. */
function dataOf(value: unknown, timesBy = 0): unknown {
  const plain = (name: string, part: unknown): unknown => {
    if (typeof part === 'function') return undefined;
    const isTime = name.endsWith('Ms') && !OTHER_TIMES.has(name);
    if (typeof part === 'number' && isTime) return `at ${(part + timesBy).toFixed(3)}`;
    if (part instanceof Set) return [...part].map((item) => plain('', item));
    if (part instanceof Map) return [...part].map(([key, item]) => [plain('', key), plain(name, item)]);
    return part;
  };
  const { timing, ...rest } = value as Record<string, unknown>;
  return [timing, JSON.parse(JSON.stringify(rest, (name, part: unknown) => plain(name, part)))];
}

describe('The search of the core', () => {
  it('CopiesEverythingThatANodeKnowsAndSharesNothingThatChanges', () => {
    for (const each of USUAL) {
      for (const { nodes, links, ghost, budget } of someWorlds(each, 60)) {
        const before = nodes.map(({ state }) => state && dataOf(state));
        for (const [at, { state }] of nodes.entries()) {
          if (state === undefined) continue;
          const copy = copyState(state);
          expect(Object.keys(copy).sort()).to.deep.equal(Object.keys(state).sort());
          expect(dataOf(copy)).to.deep.equal(before[at]);
          expect(dataOf(copyState(state, PASSED_MS), PASSED_MS)).to.deep.equal(before[at]);
        }
        expect([...successors({ nodes, links, ghost, budget }, each.bounds)]).to.not.equal(undefined);
        expect(nodes.map(({ state }) => state && dataOf(state))).to.deep.equal(before);
      }
    }
  }).timeout(60_000);

  it('BeginsWithAPrimaryThatServesAndMembersThatHaveWhatItHas', () => {
    for (const { bounds } of [...USUAL, ...LARGE]) {
      const { nodes, links } = established(bounds);
      const [primary, ...others] = nodes.slice(0, bounds.members ?? bounds.nodes).map(({ state }) => state!);
      expect(primary?.office).to.include({ kind: 'primary', isServing: true });
      for (const other of others) {
        expect(other).to.include({
          isConfirmed: true,
          commit: primary?.commit,
          durable: primary?.last.index,
        });
        expect(other.office).to.include({ kind: 'backup', heardMs: NOW_MS });
      }
      expect(links.flatMap(({ queues }) => queues.flat())).to.deep.equal([]);
    }
  });

  for (const { name, bounds } of USUAL) {
    it(`FindsNothingBrokenIn: ${name}`, () => {
      const found = explore(bounds, STATES_MAX);
      print(show(found));
      expect(found, show(found)).to.include({ violation: undefined, isComplete: true });
    }).timeout(120_000);
  }

  for (const { name, bounds } of WIDE) {
    it(`FindsNothingBrokenOnRandomWalksIn: ${name}`, () =>
      withSeed(testSeed(), (random) => {
        const found = wander(bounds, IS_LARGE ? LARGE_WALKS : WALKS, STEPS_A_WALK, random);
        if (IS_LARGE) print(`${String(found.states)} steps at random`);
        expect(found.violation, show(found)).to.equal(undefined);
      })).timeout(600_000);
  }

  for (const { name, bounds, rules, finds, after } of PLANTED) {
    it(`FindsThePlantedBug: ${name}`, () => {
      const wrong = { ...bounds, rules };
      const found = explore(wrong, STATES_MAX, played(wrong, after ?? []));
      print(show(found));
      expect(found.violation, show(found)).to.match(finds);
      const right = explore(bounds, 2 * found.states, played(bounds, after ?? []));
      expect(right.violation, show(right)).to.equal(undefined);
    }).timeout(120_000);
  }

  if (IS_LARGE) {
    for (const { name, bounds } of LARGE) {
      it(`FindsNothingBrokenInMinutesIn: ${name}`, () => {
        const found = explore(bounds, LARGE_STATES_MAX);
        print(show(found));
        expect(found.violation, show(found)).to.equal(undefined);
      }).timeout(3_600_000);
    }
  }
});
