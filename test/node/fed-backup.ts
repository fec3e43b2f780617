import type { NodeId, Term } from '../../src/engine.js';
import { EMPTY_LOG } from '../../src/log/frame.js';
import type { Link, LinkObserver, Network } from '../../src/node/ports.js';
import type { Append } from '../../src/replication/message.js';
import { NEW_STATE, startEngine } from './engine-fixture.js';
import type { EngineFixture } from './engine-fixture.js';

const PRIMARY = 'p'.repeat(32) as NodeId;

export interface FedBackup extends EngineFixture {
  /** What a primary sends that serves. */
  readonly append: (entries: Pick<Append, 'previous' | 'frames' | 'commit' | 'echoMs'>) => void;
}

/** A backup that is a member, and whose primary the test plays. */
export async function startFedBackup(): Promise<FedBackup> {
  const observers: LinkObserver[] = [];
  const network: Network = {
    observe: (observer) => void observers.push(observer),
    reach: () => undefined,
    identify: () => Promise.reject(new Error('nobody asks')),
  };
  const members = [PRIMARY, NEW_STATE.node].map((node) => ({ node, address: `${node}:1` }));
  const rules = { acks: 'majority', failover: 'manual', position: EMPTY_LOG } as const;
  const configuration = { members, learners: [], ...rules };
  const fixture = await startEngine({ state: { ...NEW_STATE, role: 'backup', configuration }, network });
  const { cluster } = NEW_STATE;
  const peer = { node: PRIMARY, cluster, address: 'p:1', fsync: 'always', role: 'primary' } as const;
  const link: Link = { peer, isOutgoing: false, send: () => undefined, close: () => undefined };
  const [observer] = observers;
  observer?.up(link);
  const standing = { kind: 'append', term: 1 as Term, isServing: true, isMember: true } as const;
  return { ...fixture, append: (entries) => observer?.received(link, { ...standing, ...entries }) };
}
