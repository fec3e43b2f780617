import { expect } from 'chai';
import type { Index, NodeId } from '../../src/engine.js';
import { lastIndexOf } from '../../src/log/frame.js';
import type { Link, PeerIdentity } from '../../src/node/ports.js';
import type { Append, Message } from '../../src/replication/message.js';
import { NEW_STATE, put, startEngine, until } from './engine-fixture.js';
import { OTHER, TestNetwork } from './test-network.js';

const SECOND: PeerIdentity = { ...OTHER, node: 'f'.repeat(32) as NodeId, address: '127.0.0.1:7003' };

/** A backup that the test plays. */
interface Played {
  readonly peer: PeerIdentity;
  /** What it has when it is added. */
  readonly matched: Index;
  /** Whether it acknowledges what it is sent then. */
  readonly acknowledges: boolean;
}

async function startPrimary() {
  const network = new TestNetwork();
  const fixture = await startEngine({ network });
  const { engine, log } = fixture;
  await until(() => log.end.index > 0);
  const { term } = log.end;

  /** Has a backup added, and answers what it is sent. */
  async function add({ peer, matched, acknowledges }: Played): Promise<Append[]> {
    const sent: Append[] = [];
    const answer = (message: Message): void => {
      if (message.kind === 'probe') {
        const { probe } = message;
        const known = { matched, durable: matched, wantsSnapshot: false } as const;
        network.observer!.received(link, { kind: 'probe answer', term, probe, ...known });
      }
      if (message.kind !== 'append') return;
      sent.push(message);
      const durable = lastIndexOf(message.frames.at(-1)!);
      if (!acknowledges) return;
      network.observer!.received(link, {
        kind: 'append answer',
        term,
        matched: durable,
        durable,
        sentMs: 0,
      });
    };
    const link: Link = {
      ...network.link({ ...peer, cluster: NEW_STATE.cluster }),
      send: (message) => void setImmediate(answer, message),
    };
    network.identity = peer;
    expect(await engine.reconfigure({ kind: 'addBackup', address: peer.address })).to.not.have.property(
      'code',
    );
    network.observer!.up(link);
    return sent;
  }

  return { engine, log, add };
}

/** Whether a backup that comes later is sent from the files what another one was sent from memory. */
async function areReadFromFiles(acknowledges: boolean): Promise<boolean> {
  const { engine, log, add } = await startPrimary();
  await add({ peer: OTHER, matched: log.end.index, acknowledges });
  expect(await put(engine, 'k', 'first')).to.equal(1);
  const before = log.end.index;
  for (let write = 0; write < 5; write++) expect(await put(engine, 'k', String(write))).to.equal(1);
  log.reads.length = 0;
  // What was confirmed is let go of with the next commit, and to add another backup is one.
  const sent = await add({ peer: SECOND, matched: before, acknowledges: false });
  await until(() => sent.some(({ previous }) => previous.index === before));
  return log.reads.includes(before);
}

describe('Frames in memory', () => {
  it('AreLetGoOfOnceEveryBackupThatIsLinkedHasThem', async () => {
    expect(await areReadFromFiles(true)).to.equal(true);
  });

  it('StayForABackupThatIsLinkedUntilItHasThem', async () => {
    expect(await areReadFromFiles(false)).to.equal(false);
  });
});
