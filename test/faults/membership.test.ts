import { expect } from 'chai';
import net from 'node:net';
import { addBackup, clusters, eventually, inTime, promote, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';

/** All that an address is answered with where no node proves itself. */
const NOBODY =
  /^ERROR UNREACHABLE no node without a secret answers at \S+ within 3 s: check the address, .*--cluster-secret-file\. The logs of both say more$/;
/** Every refusal comes at least this fast. */
const ANSWER_MS_MAX = 5000;

describe('Members of real nodes', () => {
  const nodes = clusters();
  let others: net.Server[] = [];

  afterEach(async () => {
    const closing = others;
    others = [];
    await Promise.all(closing.map((server) => new Promise((resolve) => server.close(resolve))));
  });

  async function pair(options?: readonly string[]): Promise<[primary: ClusterNode, backup: ClusterNode]> {
    return (await nodes.of(2, options)) as [ClusterNode, ClusterNode];
  }

  async function three(options?: readonly string[]): Promise<[ClusterNode, ClusterNode, ClusterNode]> {
    return (await nodes.of(3, options)) as [ClusterNode, ClusterNode, ClusterNode];
  }

  /** Something that listens and is no node. */
  async function stranger(greet: (socket: net.Socket) => void): Promise<string> {
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.resume();
      greet(socket);
    });
    others.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${String((server.address() as net.AddressInfo).port)}`;
  }

  async function memberNames(node: ClusterNode): Promise<string[]> {
    return [...(await node.status()).members].map(
      ([address, fields]) => `${address} ${fields.get('state')!}`,
    );
  }

  describe('ADD_BACKUP refuses', () => {
    const cases: [
      name: string,
      address: (primary: ClusterNode, backup: ClusterNode) => Promise<string> | string,
      answer: RegExp,
    ][] = [
      [
        'TheNodeItself',
        ({ address }) => address,
        /^ERROR (ALREADY_MEMBER|NOT_A_PEER) .*(this is the|is this) node itself.*/,
      ],
      ['AMember', (_, { address }) => address, /^ERROR ALREADY_MEMBER \S+ is a member already/],
      [
        'APrimaryWithDataOfItsOwn',
        async () => {
          const other = await nodes.node('other');
          await other.start();
          expect(await other.ask('PUT own 1')).to.equal('OK');
          return other.address;
        },
        /^ERROR WRONG_CLUSTER .*start it (with an empty --db-path|as a backup)/,
      ],
      [
        'ABackupOfAnotherCluster',
        async () => {
          const other = await nodes.node('other');
          const backup = await nodes.node('other-backup', { primary: other });
          await Promise.all([other.start(), backup.start()]);
          await addBackup(other, backup);
          return backup.address;
        },
        /^ERROR WRONG_CLUSTER /,
      ],
      [
        'ABackupThatWaitsForAnotherPrimary',
        async () => {
          const other = await nodes.node('other', { primary: '127.0.0.1:1' });
          await other.start();
          return other.address;
        },
        /^ERROR NOT_A_PEER .*127\.0\.0\.1:1\b/,
      ],
      ['AnSshServer', () => stranger((socket) => socket.write('SSH-2.0-OpenSSH_9.2p1\r\n')), NOBODY],
      ['APortThatSaysNothing', () => stranger(() => undefined), NOBODY],
      ['APortThatHangsUp', () => stranger((socket) => socket.destroy()), NOBODY],
      ['APortWhereNothingListens', async () => (await nodes.node('nobody')).address, NOBODY],
      ['ANameThatCannotBeResolved', () => 'no-such-host.invalid:7001', NOBODY],
    ];
    for (const [name, addressOf, expected] of cases) {
      it(name, async () => {
        const [primary, backup] = await pair();
        const address = await addressOf(primary, backup);
        const before = await memberNames(primary);
        const startMs = performance.now();
        expect(await primary.ask(`ADD_BACKUP ${address}`)).to.match(expected);
        expect(performance.now() - startMs).to.be.lessThan(ANSWER_MS_MAX);
        expect(await memberNames(primary)).to.deep.equal(before);
        expect(await primary.ask('PUT still 1')).to.equal('OK');
      });
    }

    it('AnythingWhenItIsNotThePrimary', async () => {
      const [primary, backup] = await pair();
      const other = await nodes.node('other', { primary });
      await other.start();
      expect(await backup.ask(`ADD_BACKUP ${other.address}`)).to.match(
        new RegExp(`^ERROR NOT_PRIMARY ${primary.address} `),
      );
      expect((await backup.status()).members.size).to.equal(2);
    });
  });

  it('MembersAndAcksSurviveRestartsOfEitherSide', async () => {
    const [primary, backup] = await pair(['--acks', 'all']);
    const names = [`${primary.address} member`, `${backup.address} member`];
    expect(await primary.ask('PUT a 1')).to.equal('OK');
    for (const restart of ['stop', 'kill'] as const) {
      await backup[restart]();
      await backup.start({ options: [] });
      await primary.untilStatus(
        'hears the backup',
        ({ members }) => members.get(backup.address)?.get('state') === 'member',
      );
      await primary[restart]();
      await primary.start({ options: [] });
      await primary.untilStatus('serves', ({ facts }) => facts.get('service') === 'serving');
      await untilMember(primary, backup);
      expect(await memberNames(primary)).to.have.members(names);
      await backup.untilStatus('knows the members', ({ members }) => members.size === 2);
      expect(await primary.fact('acks')).to.equal('all');
      expect(await backup.fact('acks')).to.equal('all');
      expect(await primary.ask(`PUT ${restart} 1`)).to.equal('OK');
    }
    await Promise.all([primary.kill(), backup.kill()]);
    await Promise.all([primary.start(), backup.start()]);
    await primary.untilStatus('serves', ({ facts }) => facts.get('service') === 'serving');
    expect(await primary.ask('MGET a stop kill')).to.equal('1\n1\n1\nEND 3');
  });

  it('AStopIsACleanOneWhileAMemberIsDead', async () => {
    const [primary, , dead] = await three();
    await dead.kill();
    // The stop takes long enough for the dead one to be looked for meanwhile.
    const value = 'x'.repeat(12 * 1024 * 1024);
    for (const key of ['a', 'b', 'c', 'd']) expect(await primary.ask(`PUT ${key} ${value}`)).to.equal('OK');
    await primary.stop();
    expect(primary.process.hasEvent('stopped cleanly')).to.equal(true);
  });

  describe('REMOVE_BACKUP', () => {
    it('IsDoneWhenTheBackupKnowsOfIt', async () => {
      const [primary, backup] = await pair();
      expect(await primary.ask(`REMOVE_BACKUP ${backup.address}`)).to.equal('OK');
      expect(await memberNames(primary)).to.deep.equal([`${primary.address} member`]);
      expect(await backup.fact('service')).to.equal('left-out');
      expect(await backup.ask('PUT k v')).to.match(/^ERROR NOT_PRIMARY /);
      await backup.kill();
      expect(await primary.ask('PUT alone 1')).to.equal('OK');
      await backup.start();
      expect(await backup.ask('PROMOTE OTHERS_ARE_DOWN')).to.match(/^ERROR (NOT_MEMBER|NO_QUORUM) /);
      await addBackup(primary, backup);
      await backup.untilCaughtUpWith(primary);
      expect(await backup.ask('GET alone')).to.equal('1');
    });

    it('RefusesWhoIsNoBackup', async () => {
      const [primary, backup] = await pair();
      const before = await memberNames(primary);
      for (const address of ['127.0.0.1:1', primary.address]) {
        expect(await primary.ask(`REMOVE_BACKUP ${address}`)).to.match(/^ERROR NOT_MEMBER /);
      }
      expect(await backup.ask(`REMOVE_BACKUP ${backup.address}`)).to.match(/^ERROR NOT_PRIMARY /);
      expect(await memberNames(primary)).to.deep.equal(before);
    });

    it('OfADeadOneOfAPairNeedsTheWordThatItIsDown', async () => {
      const [primary, backup] = await pair();
      await backup.kill();
      await primary.untilStatus('misses the backup', ({ facts }) => facts.get('advice') !== 'none');
      const refused = await primary.ask(`REMOVE_BACKUP ${backup.address}`);
      expect(refused).to.match(/^ERROR NO_QUORUM .*backup-is-down/);
      expect(refused).to.include(backup.address);
      expect((await primary.status()).members.size).to.equal(2);
      expect(await primary.ask(`REMOVE_BACKUP ${backup.address} BACKUP_IS_DOWN`)).to.match(/^OK/);
      expect(await memberNames(primary)).to.deep.equal([`${primary.address} member`]);
      expect(await primary.ask('PUT alone 1')).to.equal('OK');
      await backup.start();
      await backup.untilStatus('was left out', ({ facts }) => facts.get('service') === 'left-out');
    });

    it('OfADeadOneOfThreeEndsInTimeWithAndWithoutTheWord', async () => {
      const [primary, backup, dead] = await three();
      await dead.kill();
      const unsure = await primary.ask(`REMOVE_BACKUP ${dead.address}`);
      expect(unsure).to.match(/^ERROR UNCONFIRMED /);
      expect(unsure).to.include(dead.address);
      expect(await primary.ask('PUT k 1')).to.equal('OK');
      await dead.start();
      await dead.untilStatus('was left out', ({ facts }) => facts.get('service') === 'left-out');
      await addBackup(primary, dead);
      await dead.kill();
      expect(await primary.ask(`REMOVE_BACKUP ${dead.address} BACKUP_IS_DOWN`)).to.match(/^OK/);
      await untilMember(primary, backup);
      expect(await memberNames(primary)).to.have.members([
        `${primary.address} member`,
        `${backup.address} member`,
      ]);
      expect(await primary.ask('PUT k 2')).to.equal('OK');
    });
  });

  it('ABackupThatWasRemovedWhileItWasDownIsNotPromoted', async () => {
    const [primary, backup] = await pair();
    // Killed before it hears that its membership is committed, it would be refused for another reason.
    const commit = await primary.fact('commit');
    await backup.untilStatus('knows it', ({ facts }) => facts.get('commit') === commit);
    await backup.kill();
    expect(
      await eventually(
        'the removal',
        () => primary.ask(`REMOVE_BACKUP ${backup.address} BACKUP_IS_DOWN`),
        (answer) => !answer.startsWith('ERROR BUSY'),
      ),
    ).to.match(/^OK/);
    expect(await primary.ask('PUT only-here 1')).to.equal('OK');
    await primary.kill();
    await backup.start();
    expect(await backup.ask('PROMOTE')).to.match(/^ERROR NO_QUORUM /);
    expect(await backup.ask('PROMOTE OTHERS_ARE_DOWN')).to.match(/^ERROR NO_QUORUM .*since it started/);
    await primary.start();
    await primary.untilStatus('serves', ({ facts }) => facts.get('service') === 'serving');
    expect(await backup.ask('PROMOTE')).to.match(/^ERROR NOT_MEMBER /);
    expect(await backup.fact('service')).to.equal('left-out');
    await primary.kill();
    expect(await backup.ask('PROMOTE OTHERS_ARE_DOWN')).to.match(/^ERROR NOT_MEMBER /);
    await primary.start();
    await addBackup(primary, backup);
    await promote(backup);
    expect(await backup.ask('GET only-here')).to.equal('1');
  });

  it('ABackupThatDiesWhileItIsAddedCanBeRemoved', async () => {
    const primary = await nodes.node('primary');
    const backup = await nodes.node('backup', { primary });
    await Promise.all([primary.start(), backup.start()]);
    expect(await primary.ask(`ADD_BACKUP ${backup.address}`)).to.equal('OK state=learner');
    await primary.untilStatus(
      'lists it',
      ({ members }) => members.get(backup.address)?.get('state') === 'member',
    );
    // Its place may or may not be confirmed at this moment: the way out is the same.
    await backup.kill();
    await primary.untilStatus('misses the backup', ({ facts }) => facts.get('advice') !== 'none');
    expect(await primary.ask('PUT k 1')).to.match(/^ERROR NO_QUORUM /);
    expect(await primary.ask(`REMOVE_BACKUP ${backup.address} BACKUP_IS_DOWN`)).to.match(/^OK/);
    expect(await primary.ask('PUT k 1')).to.equal('OK');
  });

  it('AnAddedBackupThatIsNotThereHangsNobody', async () => {
    const [primary] = await pair();
    const late = await nodes.node('late', { primary });
    await late.start();
    late.process.signal('SIGSTOP');
    const answer = await inTime('the refusal', primary.ask(`ADD_BACKUP ${late.address}`), ANSWER_MS_MAX);
    expect(answer).to.match(NOBODY);
    late.process.signal('SIGCONT');
    await addBackup(primary, late);
  });
});
