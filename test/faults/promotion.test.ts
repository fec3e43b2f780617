import { expect } from 'chai';
import { testSeed, withSeed } from '../random.js';
import { clusters, eventually, inTime, promote, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { contentOfServer } from './content.js';
import { Load } from './load.js';

describe('A promotion of real nodes', () => {
  const nodes = clusters();

  /** One answer, asked for until there is one: the process may not listen yet, and lets nobody in until it does. */
  function askOnceItListens(node: ClusterNode, command: string): Promise<string> {
    return eventually(
      `${node.name} answers ${command}`,
      () => node.ask(command).catch((error: unknown) => String(error)),
      (answer) => !answer.includes('ECONNREFUSED'),
    );
  }

  it('IsRefusedToTheBackupOfAPairThatWasRestarted', async () => {
    const [primary, backup] = (await nodes.of(2)) as [ClusterNode, ClusterNode];
    expect(await primary.ask('PUT k 1')).to.equal('OK');
    await Promise.all([primary.kill(), backup.kill()]);
    await backup.start();
    expect(await backup.ask('PROMOTE')).to.match(/^ERROR NO_QUORUM .*--others-are-down/);
    const refused = await backup.ask('PROMOTE OTHERS_ARE_DOWN');
    expect(refused).to.match(/^ERROR NO_QUORUM .*since it started.*--accept-data-loss/);
    expect(refused).to.include(backup.address);
    expect(await backup.fact('role')).to.equal('backup');
    await primary.start();
    await untilMember(primary, backup);
    // It is confirmed by a primary that serves: one that has the answer to a write has said so to its backup.
    expect(await primary.ask('PUT l 2')).to.equal('OK');
    await primary.kill();
    await promote(backup, 'OTHERS_ARE_DOWN');
    expect(await backup.ask('MGET k l')).to.equal('1\n2\nEND 2');
  });

  it('FindsEveryAcknowledgedWriteOfFiveNodesOfWhichTwoAreDead', async function () {
    this.timeout(60_000);
    await withSeed(testSeed(), async (random) => {
      const all = await nodes.of(5);
      const [primary, ...backups] = all as [ClusterNode, ...ClusterNode[]];
      const load = new Load(random);
      const dead = random.pick(backups);
      await load.begin(primary.address);
      await load.answers(200);
      await dead.kill();
      await load.answers(500);
      await primary.kill();
      await inTime('the end of the connections', load.closed());
      const successor = random.pick(backups.filter((node) => node !== dead));
      await promote(successor);
      load.settle(await contentOfServer(successor.address));
      expect(load.acknowledged).to.be.greaterThan(500);
      expect(await successor.ask('PUT on 1')).to.equal('OK');
      await Promise.all([primary.start(), dead.start()]);
      for (const node of all) {
        if (node === successor) continue;
        await untilMember(successor, node);
        await node.untilCaughtUpWith(successor);
        expect(await node.ask('GET on')).to.equal('1');
      }
    });
  });

  it('ThatBreaksHalfWayInAHandOverLeavesAPrimaryInPlace', async function () {
    this.timeout(120_000);
    await withSeed(testSeed(), async (random) => {
      const [first, target, other] = (await nodes.of(3)) as [ClusterNode, ClusterNode, ClusterNode];
      const load = new Load(random);
      for (let round = 0; round < 4; round++) {
        await load.begin(first.address);
        await load.answers(200);
        const answer = target.ask('PROMOTE').catch(() => 'lost');
        for (let turn = random.below(400); turn > 0; turn--)
          await new Promise((resolve) => setImmediate(resolve));
        await target.kill();
        await inTime('an end of the command', answer);
        await inTime('the last answers', load.finish());
        if ((await answer).startsWith('OK ')) {
          await promote(other);
          await target.start();
          await promote(first);
        } else {
          // The target had the votes or not: the old primary keeps its place, or takes it again.
          await first.untilStatus('serves', ({ facts }) => facts.get('service') === 'serving');
          expect(await first.ask('PUT after-hand-over 1')).to.equal('OK');
          expect(await first.ask('DELETE after-hand-over')).to.equal('OK');
          await target.start();
        }
        load.settle(await contentOfServer(first.address));
        await untilMember(first, target);
        await untilMember(first, other);
      }
    });
  });

  it('ByRestartingNeverServesAPrimaryThatIsCutOff', async function () {
    this.timeout(60_000);
    const [primary, ...backups] = (await nodes.of(3)) as [ClusterNode, ClusterNode, ClusterNode];
    expect(await primary.ask('PUT k 1')).to.equal('OK');
    await Promise.all([primary, ...backups].map((node) => node.kill()));
    for (let round = 0; round < 4; round++) {
      primary.launch();
      for (const command of ['GET k', 'PUT k 2', 'MGET k', 'DELETE k', 'KEYS', 'DBSIZE', 'EXISTS k']) {
        const answer = await askOnceItListens(primary, command);
        expect(answer, command).to.match(/^ERROR NO_QUORUM .*others-are-down/);
        for (const backup of backups) expect(answer).to.include(backup.address);
      }
      expect(await primary.fact('service')).to.equal('waiting');
      if (round === 3) break;
      await primary.kill();
    }
    await Promise.all(backups.map((node) => node.start()));
    await primary.untilStatus('serves', ({ facts }) => facts.get('service') === 'serving');
    expect(await primary.ask('GET k')).to.equal('1');
    expect(await primary.ask('PUT k 2')).to.equal('OK');
  });

  it('OfANodeThatIsCutOffByAnOperatorsWordIsTheWayOut', async () => {
    const [primary, backup] = (await nodes.of(2)) as [ClusterNode, ClusterNode];
    expect(await primary.ask('PUT k 1')).to.equal('OK');
    await Promise.all([primary.kill(), backup.kill()]);
    await primary.start();
    expect(await primary.ask('GET k')).to.match(/^ERROR NO_QUORUM /);
    expect(await primary.ask('PROMOTE OTHERS_ARE_DOWN')).to.match(/^ERROR NO_QUORUM .*since it started/);
    expect(await promote(primary, 'OTHERS_ARE_DOWN ACCEPT_DATA_LOSS')).to.match(/known_up_to=/);
    expect(await primary.ask('GET k')).to.equal('1');
    await backup.start();
    await backup.untilStatus('was left out', ({ facts }) => facts.get('service') === 'left-out');
  });

  it('WithTheWordThatOthersAreDownIsRefusedWhileTheyLive', async () => {
    const [primary, backup] = (await nodes.of(2)) as [ClusterNode, ClusterNode];
    // The primary answers, so it is no case for that word: it hands over, and nobody is left out.
    const answer = await backup.ask('PROMOTE OTHERS_ARE_DOWN');
    expect(answer)
      .to.match(/^OK /)
      .and.to.include(`handed_over_by=${primary.address}`)
      .and.not.include('left_out');
    await untilMember(backup, primary);
  });
});
