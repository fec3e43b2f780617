import type { NodeId } from '../../src/engine.js';
import type { Link, LinkObserver, Network, PeerIdentity } from '../../src/node/ports.js';
import type { Message } from '../../src/replication/message.js';

/** A backup that was not added yet. */
export const OTHER: PeerIdentity = {
  node: 'e'.repeat(32) as NodeId,
  cluster: undefined,
  address: '127.0.0.1:7002',
  fsync: 'always',
  role: 'backup',
};

/** A network whose links the test opens, and that keeps what is sent. */
export class TestNetwork implements Network {
  observer: LinkObserver | undefined;
  readonly sent: Message[] = [];
  /** Whoever is asked who he is. */
  identity = OTHER;

  observe(observer: LinkObserver): void {
    this.observer = observer;
  }

  reach(): void {
    // Links come when the test opens them.
  }

  identify(): Promise<PeerIdentity> {
    return Promise.resolve(this.identity);
  }

  link(peer: PeerIdentity): Link {
    return {
      peer,
      isOutgoing: true,
      send: (message) => void this.sent.push(message),
      close: () => undefined,
    };
  }
}
