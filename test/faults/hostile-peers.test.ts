import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import type { ClusterId, Index, NodeId, Term } from '../../src/engine.js';
import { EMPTY_LOG } from '../../src/log/frame.js';
import type { LogEnd } from '../../src/log/frame.js';
import type { PeerIdentity } from '../../src/node/ports.js';
import type { Message } from '../../src/replication/message.js';
import { frameAfter } from '../node/frames.js';
import { Conversation } from '../server/conversation.js';
import { SECRET, parts, sealOf, shakeHands } from '../server/hand-shake.js';
import { clusters, inTime } from './cluster.js';
import type { ClusterNode } from './cluster.js';

const STRANGER = 'f'.repeat(32) as NodeId;
const ROUNDS = 3;
const TERM_STEP = 2 ** 28;
const STANDING = { isServing: true, isMember: true } as const;
const LASTING = ['role', 'service', 'term', 'position', 'commit', 'applied', 'keys', 'primary'];

function termOf(node: ClusterNode): number {
  const file = path.join(`${node.dbPath}.d`, 'node.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { term: number }).term;
}

function heartbeat(term: number, last: LogEnd, commit = last.index): Message {
  const common = { round: 1, ...STANDING, leaseMs: 0, echoMs: undefined };
  return { kind: 'heartbeat', term: term as Term, last, commit, ...common };
}

/** What a node with the secret says that no node that works would, with the term that both sides are in. */
const TO_A_BACKUP: readonly (readonly [string, (term: number) => Message])[] = [
  ['AnAbsurdTerm', (term) => heartbeat(term + 2 ** 21 * TERM_STEP, { ...EMPTY_LOG, index: 1 as Index })],
  ['AnEmptyLog', (term) => heartbeat(term + TERM_STEP, EMPTY_LOG)],
  ['ATermOfAnotherNode', (term) => heartbeat(term, { term: term as Term, index: 99 as Index, checksum: 1 })],
  [
    'ALogThatLacksWhatIsCommitted',
    (term) => {
      const later = (term + TERM_STEP) as Term;
      const spans = [{ term: later, firstIndex: 1 as Index, isLossy: false }];
      const last = { term: later, index: 1 as Index };
      return { kind: 'probe', term: later, probe: 1, history: { spans, last } };
    },
  ],
  [
    'AGap',
    (term) => {
      const previous = { term: 1 as Term, index: 1 as Index, checksum: 7 };
      const frames = [frameAfter({ ...previous, index: 5 as Index }, { term: 1 })];
      const later = (term + TERM_STEP) as Term;
      return {
        kind: 'append',
        term: later,
        previous,
        frames,
        commit: 1 as Index,
        ...STANDING,
        echoMs: undefined,
      };
    },
  ],
  [
    'ASnapshotOfAnotherPast',
    (term) => {
      const later = (term + TERM_STEP) as Term;
      const end = { term: later, index: 2 as Index, checksum: 9 };
      const position = { term: 1 as Term, index: 1 as Index };
      const configuration = {
        members: [],
        learners: [],
        acks: 'majority',
        failover: 'manual',
        position,
      } as const;
      const bytes = Buffer.from('{"format":"kv-snapshot"');
      return {
        kind: 'snapshot part',
        term: later,
        end,
        configuration,
        lossAccepted: false,
        offset: 0,
        bytes,
        isLast: true,
      };
    },
  ],
];

const TO_A_PRIMARY: readonly (readonly [string, (term: number) => Message])[] = [
  [
    'AnAcknowledgementBeyondTheLog',
    (term) => {
      const index = 1_000_000 as Index;
      return { kind: 'append answer', term: term as Term, matched: index, durable: index, sentMs: 1 };
    },
  ],
  ['AnAbsurdTerm', (term) => ({ kind: 'mismatch', term: (term + 2 ** 21 * TERM_STEP) as Term })],
  ['ItsOwnTerm', (term) => heartbeat(term, { term: term as Term, index: 99 as Index, checksum: 1 })],
];

describe('A peer that has the secret and says what no node would', () => {
  const nodes = clusters();

  async function pair(): Promise<readonly [ClusterNode, ClusterNode]> {
    const file = path.join(nodes.servers.directory, 'secret');
    writeFileSync(file, `${SECRET}\n`, { mode: 0o600 });
    const [primary, backup] = (await nodes.of(2, ['--cluster-secret-file', file])) as [
      ClusterNode,
      ClusterNode,
    ];
    for (let count = 0; count < 10; count++) {
      expect(await primary.ask(`PUT key${String(count)} value`)).to.equal('OK');
    }
    await backup.untilCaughtUpWith(primary);
    return [primary, backup];
  }

  async function lasting(node: ClusterNode): Promise<readonly (string | undefined)[]> {
    const { facts } = await node.status();
    return LASTING.map((name) => facts.get(name));
  }

  /** Says it over a link of its own, and answers once that is closed. */
  async function say(to: ClusterNode, as: PeerIdentity, message: Message): Promise<void> {
    const { facts } = await to.status();
    const conversation = await Conversation.open(to.address);
    const { keys } = await shakeHands(conversation, as, facts.get('node') as NodeId, { secret: SECRET });
    for (const part of parts(sealOf(keys), message)) conversation.send(part);
    await inTime('the end of the link', conversation.toTheEnd());
  }

  async function expectNothingChanged(
    victim: ClusterNode,
    identity: (victim: ClusterNode) => Promise<PeerIdentity>,
    message: Message,
  ): Promise<void> {
    const before = await lasting(victim);
    const as = await identity(victim);
    for (let round = 0; round < ROUNDS; round++) await say(victim, as, message);
    expect(await lasting(victim)).to.deep.equal(before);
    const told = victim.process.events.filter(({ msg }) =>
      String(msg).startsWith('a link is closed and nothing'),
    );
    expect(told.map(({ msg }) => msg)).to.have.length(1);
  }

  async function stranger(victim: ClusterNode): Promise<PeerIdentity> {
    const cluster = (await victim.fact('cluster')) as ClusterId;
    return { node: STRANGER, cluster, address: '127.0.0.1:1', fsync: 'always', role: 'primary' };
  }

  describe('to a backup has its link closed, is told of once and changes nothing:', () => {
    for (const [name, message] of TO_A_BACKUP) {
      it(name, async () => {
        const [primary, backup] = await pair();
        await expectNothingChanged(backup, stranger, message(termOf(backup)));
        expect(await primary.ask('PUT after it')).to.equal('OK');
        expect(await backup.ask('GET key9')).to.equal('value');
      });
    }
  });

  describe('to a primary has its link closed, is told of once and changes nothing:', () => {
    for (const [name, message] of TO_A_PRIMARY) {
      it(name, async () => {
        const [primary, backup] = await pair();
        const asBackup = async (): Promise<PeerIdentity> => {
          const [node, cluster] = [await backup.fact('node'), await backup.fact('cluster')];
          const identity = { node: node as NodeId, cluster: cluster as ClusterId, address: backup.address };
          return { ...identity, fsync: 'always', role: 'backup' };
        };
        await expectNothingChanged(primary, asBackup, message(termOf(primary)));
        expect(await primary.ask('PUT after it')).to.equal('OK');
        await backup.untilCaughtUpWith(primary);
      });
    }
  });
});
