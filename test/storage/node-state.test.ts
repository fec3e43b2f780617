import { expect } from 'chai';
import type { Index, NodeId, Term } from '../../src/engine.js';
import type { Configuration } from '../../src/log/control.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import { StorageFault } from '../../src/storage/fault.js';
import { loadNodeState, saveNodeState } from '../../src/storage/node-state.js';
import type { NodeState } from '../../src/storage/node-state.js';
import { CLUSTER, PRIMARY_ADDRESS, emptyDisk, framesBehind, openReplica, reasonOf } from './replica.js';

const configuration: Configuration = {
  members: [{ node: 'a'.repeat(32) as NodeId, address: '[::1]:7001' }],
  learners: [{ node: 'b'.repeat(32) as NodeId, address: 'host:1' }],
  acks: 'all',
  failover: 'auto',
};

const AT = { term: 1, index: 1 };

describe('The node state', () => {
  const whole: NodeState = {
    cluster: CLUSTER,
    node: 'd'.repeat(32) as NodeId,
    role: 'backup',
    term: 7 as Term,
    lastPrimary: undefined,
    vote: 'e'.repeat(32) as NodeId,
    configuration: { ...configuration, position: { term: 6 as Term, index: 3 as Index } },
    leftOutAt: { term: 6 as Term, index: 3 as Index },
    primaryAddress: PRIMARY_ADDRESS,
    commit: 3 as Index,
    originIndex: 1 as Index,
    logIndex: 9 as Index,
    cleanEnd: { term: 7 as Term, index: 9 as Index, checksum: 5 },
    divergence: 'its state is wrong',
    lossAccepted: true,
  };
  const least: NodeState = {
    ...whole,
    cluster: undefined,
    vote: undefined,
    configuration: undefined,
    leftOutAt: undefined,
    primaryAddress: undefined,
    logIndex: undefined,
    cleanEnd: undefined,
  };
  // As it was written before there was anything to say.
  delete (least as { divergence?: string }).divergence;
  delete (least as { lossAccepted?: boolean }).lossAccepted;

  it('IsReadAsItWasWritten', async () => {
    for (const state of [whole, least]) {
      for (const replacing of [undefined, endOf(framesBehind(EMPTY_LOG, 3, 1)[0]!)]) {
        const files = emptyDisk().mount();
        await saveNodeState(files, '/data', state, replacing);
        expect(await loadNodeState(files, '/data')).to.deep.equal({ ...state, replacing });
      }
    }
  });

  it('IsRefusedWithAFieldThatIsNoneOfItsKind', async () => {
    const wrong: Record<string, unknown>[] = [
      { role: 'boss' },
      { term: -1 },
      { term: 1.5 },
      { vote: '' },
      { commit: undefined },
      { leftOutAt: 'no' },
      { leftOutAt: { term: 1 } },
      { configuration: { members: [], learners: [], acks: 'some', failover: 'auto', position: AT } },
      { configuration: { members: [], learners: [], acks: 'all', failover: 'some', position: AT } },
      {
        configuration: {
          members: [{ node: 'x' }],
          learners: [],
          acks: 'all',
          failover: 'auto',
          position: AT,
        },
      },
      { configuration: { members: [], learners: [], acks: 'all', failover: 'auto' } },
      { cleanEnd: { term: 1, index: 1 } },
      { divergence: '' },
      { divergence: 5 },
    ];
    for (const fields of wrong) {
      const files = emptyDisk().mount();
      await saveNodeState(files, '/data', { ...whole, ...fields });
      expect(await reasonOf(loadNodeState(files, '/data')), JSON.stringify(fields)).to.be.instanceOf(
        StorageFault,
      );
    }
  });
});

describe('The node state of a log', () => {
  it('MayNotClaimWhatTheLogDoesNotHold', async () => {
    const { data } = await openReplica(emptyDisk().mount());
    expect((await reasonOf(data.saveState({ ...data.state, logIndex: 1 as Index }))).message).to.include(
      'must not claim',
    );
    await data.close();
  });
});
