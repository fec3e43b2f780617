import { refusal } from '../engine.js';
import type { Refusal } from '../engine.js';
import type { Change } from '../replication/state.js';
import type { Assembly } from './assembly.js';
import type { ReplicaEngineParts } from './engine-parts.js';

/** Reaches a node that is to be added, and looks whether it can be. */
export async function candidateAt(
  address: string,
  { network, fsync }: ReplicaEngineParts,
  assembly: Assembly,
): Promise<Refusal | Change> {
  const { state } = assembly.replica;
  if (state.office.kind !== 'primary') {
    return assembly.changeObjection();
  }
  const peer = await network.identify(address);
  if ('code' in peer) return peer;
  if (peer.node === state.self)
    return refusal('ALREADY_MEMBER', `${address} is this node itself: give the address of another one`);
  if (peer.cluster !== undefined && peer.cluster !== state.cluster)
    return refusal(
      'WRONG_CLUSTER',
      `${address} belongs to another cluster and has its own data: start it with an empty --db-path, and --join or --role backup and --primary`,
    );
  if (peer.role === 'primary')
    return refusal('WRONG_CLUSTER', `${address} is a primary itself: stop it, and start it as a backup`);
  if (fsync === 'always' && peer.fsync !== 'always')
    return refusal(
      'NOT_A_PEER',
      `${address} runs with --fsync ${peer.fsync} and this primary with always, so it could never be counted: start it with --fsync always`,
    );
  return { kind: 'addBackup', peer: { node: peer.node, address } };
}
