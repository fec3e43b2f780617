import { expect } from 'chai';
import { describeFailure, runSeeds } from './seeds.js';
import { simulate } from './simulate.js';
import type { SimulateOptions } from './simulate.js';
import { toyNode } from './toy.js';
import type { ToyFault } from './toy.js';

function toyOptions(nodes: number, fault?: ToyFault): SimulateOptions {
  return { startNode: toyNode(nodes, fault), isFixed: true, plan: { nodes, fsync: 'always' } };
}

const FAULTS: readonly ToyFault[] = [
  'answers at once',
  'shows old values',
  'keeps its term',
  'forgets deletes',
  'takes over',
];

describe('the simulator', () => {
  for (const nodes of [2, 3, 5]) {
    it(`finds nothing wrong with ${String(nodes)} toy nodes that do everything right`, async () => {
      const { failure, counts } = await runSeeds(1, 10, toyOptions(nodes));
      if (failure !== undefined) expect.fail(describeFailure(failure));
      expect(counts.get('acknowledged')).to.be.greaterThan(100);
      expect(counts.get('undecided')).to.equal(0);
    });
  }

  for (const fault of FAULTS) {
    it(`finds a toy node that ${fault}`, async () => {
      const { failure } = await runSeeds(1, 60, toyOptions(3, fault));
      expect(failure?.violation).to.be.a('string');
    });
  }

  it('SameSeedSameTrace', async () => {
    const first = await simulate(7, toyOptions(3));
    const again = await simulate(7, toyOptions(3));
    const other = await simulate(8, toyOptions(3));
    expect(again).to.deep.equal(first);
    expect(other.trace).to.not.equal(first.trace);
  });
});
