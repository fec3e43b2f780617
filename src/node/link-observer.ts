import { refusal } from '../engine.js';
import type { Index, Refusal } from '../engine.js';
import type { LinkId, ReplicaState } from '../replication/state.js';
import type { ReplicaEngineParts } from './engine-parts.js';
import type { Link, LinkObserver, PeerIdentity } from './ports.js';
import type { Replica } from './replica.js';

/** What the network is told about this node, and tells it. */
export function observeLinks(
  parts: ReplicaEngineParts,
  replica: Replica,
  state: ReplicaState,
  applied: () => Index,
): LinkObserver {
  const ids = new Map<Link, LinkId>();
  return {
    identity: () => ({
      node: state.self,
      cluster: state.cluster,
      address: parts.address(),
      fsync: parts.fsync,
      role: state.office.kind,
    }),
    admit(peer) {
      if (state.cluster === undefined) {
        return adoptionObjection(parts, peer);
      }
      if (peer.cluster === state.cluster) return undefined;
      return refusal(
        'WRONG_CLUSTER',
        `${parts.address()} belongs to another cluster than ${peer.address} and has its own data: start it with an empty --db-path, and --join or --role backup and --primary`,
      );
    },
    up(link) {
      ids.set(link, replica.linkUp(link));
    },
    received(link, message) {
      const id = ids.get(link);
      if (id !== undefined) replica.input({ kind: 'message', link: id, message, applied: applied() });
    },
    down(link) {
      const id = ids.get(link);
      ids.delete(link);
      if (id !== undefined) replica.linkDown(id);
    },
    unreachable(peer) {
      replica.input({ kind: 'unreachable', node: peer.node });
    },
  };
}

/**
 * Why this node may not add a new backup, which nobody has added yet: so that no cluster takes in, by a mistyped address, what waits
 * for another one. Where an operator named the primary it is that one alone; a node that asked by itself goes by the cluster that it asked,
 * since any node of it may be the primary by then.
 */
function adoptionObjection({ joining, state }: ReplicaEngineParts, peer: PeerIdentity): Refusal | undefined {
  if (joining === undefined) {
    const allowed = state.primaryAddress;
    if (peer.cluster !== undefined && peer.address === allowed) return undefined;
    return refusal(
      'NOT_A_PEER',
      `this backup waits for its primary at ${allowed ?? 'nowhere'}, and ${peer.address} is another node`,
    );
  }
  if (peer.cluster !== undefined && peer.cluster === joining.cluster) return undefined;
  const joined = state.primaryAddress ?? 'nowhere';
  return refusal(
    'NOT_A_PEER',
    joining.cluster === undefined
      ? `this node is to join the cluster of ${joined}, which has not answered yet: ${peer.address} may add it once it is known to be of that cluster`
      : `this node joins the cluster of ${joined}, and ${peer.address} is of another one`,
  );
}
