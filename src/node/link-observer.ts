import { refusal } from '../engine.js';
import type { LinkId, ReplicaState } from '../replication/state.js';
import type { ReplicaEngineParts } from './engine-parts.js';
import type { Link, LinkObserver } from './ports.js';
import type { Replica } from './replica.js';

/** What the network is told about this node, and tells it. */
export function observeLinks(parts: ReplicaEngineParts, replica: Replica, state: ReplicaState): LinkObserver {
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
        const allowed = parts.state.primaryAddress;
        if (peer.cluster !== undefined && peer.address === allowed) return undefined;
        return refusal(
          'NOT_A_PEER',
          `this backup waits for its primary at ${allowed ?? 'nowhere'}, and ${peer.address} is another node`,
        );
      }
      if (peer.cluster === state.cluster) return undefined;
      return refusal(
        'WRONG_CLUSTER',
        `${parts.address()} belongs to another cluster than ${peer.address} and has its own data: start it with an empty --db-path, --role backup and --primary`,
      );
    },
    up(link) {
      ids.set(link, replica.linkUp(link));
    },
    received(link, message) {
      const id = ids.get(link);
      if (id !== undefined) replica.input({ kind: 'message', link: id, message });
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
