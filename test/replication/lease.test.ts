import { expect } from 'chai';
import type { ClusterId, Index, NodeId } from '../../src/engine.js';
import type { PlacedConfiguration } from '../../src/log/control.js';
import { EMPTY_LOG } from '../../src/log/frame.js';
import { begin } from '../../src/replication/core.js';
import { holdsLease } from '../../src/replication/standing.js';
import type { PrimaryOffice, Progress, ReplicaState } from '../../src/replication/state.js';
import { DEFAULT_TIMING } from '../../src/replication/timing.js';

const NOW_MS = 100_000;
/** A lease counts for a tenth less than the one who granted it holds it. */
const VALID_MS = DEFAULT_TIMING.leaseMs * 0.9;

function placed(members: readonly string[]): PlacedConfiguration {
  const peers = members.map((node) => ({ node: node as NodeId, address: node }));
  return { members: peers, learners: [], acks: 'majority', failover: 'manual', position: EMPTY_LOG };
}

function stateOf(members: readonly string[], open: readonly (readonly string[])[] = []): ReplicaState {
  return begin({
    self: 'A' as NodeId,
    cluster: 'c' as ClusterId,
    fsync: 'always',
    role: 'primary',
    term: EMPTY_LOG.term,
    vote: undefined,
    leftOutAt: undefined,
    lastPrimary: undefined,
    configurations: { committed: placed(members), open: open.map(placed) },
    last: EMPTY_LOG,
    spans: [],
    commit: 0 as Index,
    nowMs: NOW_MS,
    address: () => 'A',
  });
}

/** An office that has the lease of these, from a heartbeat that was sent so long ago. */
function officeWith(leased: readonly string[], agoMs: number, isServing = true): PrimaryOffice {
  const progress = leased.map(
    (node) =>
      [node, { leaseFromMs: NOW_MS - agoMs, leaseMs: DEFAULT_TIMING.leaseMs, match: 0 }] as unknown as [
        NodeId,
        Progress,
      ],
  );
  return { kind: 'primary', isServing, progress: new Map(progress) } as unknown as PrimaryOffice;
}

function subsets(nodes: readonly string[]): string[][] {
  return nodes.reduce<string[][]>((all, node) => [...all, ...all.map((each) => [...each, node])], [[]]);
}

describe('The lease of a primary', () => {
  for (const count of [1, 2, 3, 4, 5]) {
    it(`HoldsExactlyWhileTheOthersOf ${String(count)} CouldNotChooseAnother`, () => {
      const members = ['A', 'B', 'C', 'D', 'E'].slice(0, count);
      const others = members.slice(1);
      for (const leased of subsets(others)) {
        const free = others.filter((node) => !leased.includes(node));
        const couldChoose = 2 * free.length > count;
        const holds = holdsLease(stateOf(members), officeWith(leased, 0), NOW_MS);
        expect(holds, leased.join()).to.equal(!couldChoose);
      }
    });
  }

  it('EndsATenthEarlyAndCountsFromWhenTheHeartbeatWasSent', () => {
    const state = stateOf(['A', 'B', 'C']);
    expect(holdsLease(state, officeWith(['B'], VALID_MS - 1), NOW_MS)).to.equal(true);
    expect(holdsLease(state, officeWith(['B'], VALID_MS), NOW_MS)).to.equal(false);
  });

  it('HoldsUnderEachConfigurationThatMayLast', () => {
    const state = stateOf(['A', 'B', 'C'], [['A', 'D', 'E']]);
    expect(holdsLease(state, officeWith(['B'], 0), NOW_MS)).to.equal(false);
    expect(holdsLease(state, officeWith(['D'], 0), NOW_MS)).to.equal(false);
    expect(holdsLease(state, officeWith(['B', 'D'], 0), NOW_MS)).to.equal(true);
  });

  it('CountsOnlyHeartbeatsThatWereSentSinceTheClocksAreTrusted', () => {
    const [pair, three] = [stateOf(['A', 'B']), stateOf(['A', 'B', 'C'])];
    const sentMs = NOW_MS - 10;
    expect(holdsLease(three, officeWith(['B'], 10), NOW_MS, sentMs - 1)).to.equal(true);
    expect(holdsLease(three, officeWith(['B'], 10), NOW_MS, sentMs)).to.equal(false);
    expect(holdsLease(pair, officeWith([], 0), NOW_MS, NOW_MS)).to.equal(true);
  });

  it('IsNotHadByWhoeverDoesNotServeYet', () => {
    expect(holdsLease(stateOf(['A']), officeWith([], 0, false), NOW_MS)).to.equal(false);
  });
});
