import { expect } from 'chai';
import { cpSync, rmSync } from 'node:fs';
import { addBackup, clusters, eventually, promote, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';

/**
 * Data that is not where, or not what, it was: what the operator sees, and what he types to get out of it. The words are in
 * docs/operating.md.
 */
describe('Data that is not what it was', () => {
  const nodes = clusters();

  async function three(): Promise<[primary: ClusterNode, one: ClusterNode, other: ClusterNode]> {
    const all = (await nodes.of(3)) as [ClusterNode, ClusterNode, ClusterNode];
    expect(await all[0].ask('PUT k 1')).to.equal('OK');
    return all;
  }

  function wipe(node: ClusterNode): void {
    rmSync(node.directory, { recursive: true });
    rmSync(node.dbPath, { force: true });
  }

  function copy(from: ClusterNode, to: { dbPath: string; directory: string }): void {
    cpSync(from.directory, to.directory, { recursive: true });
    cpSync(from.dbPath, to.dbPath);
  }

  async function untilSaid(node: ClusterNode, words: RegExp): Promise<void> {
    await eventually(
      `${node.name} says ${String(words)}`,
      () => node.process.stderr,
      (text) => words.test(text),
    );
  }

  /** Writes need a majority: with one of the members dead, the suspect would have to be counted. */
  async function expectIsNotCounted(
    primary: ClusterNode,
    suspect: ClusterNode,
    other: ClusterNode,
  ): Promise<void> {
    await other.kill();
    const answer = await eventually(
      'a write is refused',
      () => primary.ask('PUT counted 1'),
      (text) => text.startsWith('ERROR '),
    );
    expect(answer)
      .to.match(/^ERROR (NO_QUORUM|UNCONFIRMED) /)
      .and.to.include(suspect.address);
    await other.start();
    await untilMember(primary, other);
  }

  /** The way out where the members that are left are enough: out with it, and in again. */
  async function removeAndAdd(primary: ClusterNode, suspect: ClusterNode): Promise<void> {
    await suspect.kill();
    const removed = await eventually(
      'it is removed',
      () => primary.ask(`REMOVE_BACKUP ${suspect.address} BACKUP_IS_DOWN`),
      (answer) => !answer.startsWith('ERROR BUSY'),
    );
    expect(removed).to.match(/^OK/);
    wipe(suspect);
    await suspect.start();
    await addBackup(primary, suspect);
    await suspect.untilCaughtUpWith(primary);
  }

  it('AWipedBackupIsANewNodeThatIsNotCountedUntilItIsRemovedAndAdded', async function () {
    this.timeout(60_000);
    const [primary, one, other] = await three();
    await one.kill();
    wipe(one);
    await one.start();
    await untilSaid(
      primary,
      /at \S+ there is the node \w+, and not \w+: check the address; a node whose data was lost is removed and added again/,
    );
    expect(await one.fact('service')).to.equal('unadopted');
    expect(await one.ask('GET k')).to.match(/^ERROR NOT_PRIMARY /);
    expect(await one.ask('PROMOTE OTHERS_ARE_DOWN ACCEPT_DATA_LOSS')).to.match(/^ERROR NOT_MEMBER /);
    await expectIsNotCounted(primary, one, other);
    expect(await primary.ask(`ADD_BACKUP ${one.address}`)).to.match(/^ERROR ALREADY_MEMBER /);
    await removeAndAdd(primary, one);
    await promote(one);
    expect(await one.ask('GET k')).to.equal('1');
  });

  it('AWipedBackupThatStartsAsAPrimaryIsOfAnotherClusterAndLedByNobody', async function () {
    this.timeout(60_000);
    const [primary, one, other] = await three();
    await one.kill();
    wipe(one);
    const stranger = await nodes.node('node2', { directory: `${nodes.servers.directory}/elsewhere` });
    const inItsPlace = stranger.movedTo(one);
    await inItsPlace.start();
    await untilSaid(primary, /"code":"WRONG_CLUSTER"/);
    expect(await inItsPlace.ask('GET k')).to.equal('NULL');
    await expectIsNotCounted(primary, one, other);
    await inItsPlace.kill();
  });

  it('ABackupFromAnOldCopyOfItsFilesIsNotCountedUntilItIsRemovedAndAddedEmpty', async function () {
    this.timeout(60_000);
    const [primary, one, other] = await three();
    await one.untilCaughtUpWith(primary);
    await one.stop();
    const old = { dbPath: `${one.dbPath}.old`, directory: `${one.directory}.old` };
    copy(one, old);
    await one.start();
    await untilMember(primary, one);
    expect(await primary.ask('PUT k 2')).to.equal('OK');
    // What it has acknowledged is what the primary remembers of it.
    await primary.untilStatus(
      'has its acknowledgement',
      ({ members }) => members.get(one.address)!.get('lag') === '0',
    );
    await one.kill();
    wipe(one);
    cpSync(old.directory, one.directory, { recursive: true });
    cpSync(old.dbPath, one.dbPath);
    await one.start();
    await untilSaid(primary, /a backup came back with less than it had acknowledged; it is not counted/);
    await expectIsNotCounted(primary, one, other);
    await removeAndAdd(primary, one);
    await promote(one);
    expect(await one.ask('GET k')).to.equal('2');
  });

  it('ACopiedDirectoryOfABackupBesideTheOriginalGetsNoLinkAndNoOffice', async function () {
    this.timeout(60_000);
    const [primary, one] = await three();
    await one.untilCaughtUpWith(primary);
    await one.stop();
    const twin = await nodes.node('twin', { primary });
    copy(one, twin);
    await one.start();
    await untilMember(primary, one);
    expect(await primary.ask('PUT k 2')).to.equal('OK');
    await twin.start();
    expect(await primary.ask(`ADD_BACKUP ${twin.address}`)).to.match(/^ERROR ALREADY_MEMBER /);
    for (const word of ['', ' OTHERS_ARE_DOWN']) {
      expect(await twin.ask(`PROMOTE${word}`)).to.match(/^ERROR /);
      expect(await primary.fact('service')).to.equal('serving');
    }
    expect(await twin.ask('PUT k 3')).to.match(/^ERROR /);
    await untilSaid(twin, /is linked from \S+ already: a copy of its data may not run beside it/);
    await untilMember(primary, one);
    expect(await primary.ask('GET k')).to.equal('2');
  });

  it('ACopiedDirectoryOfThePrimaryBesideTheOriginalNeverServes', async function () {
    this.timeout(60_000);
    const [primary, one, other] = await three();
    await primary.stop();
    const twin = await nodes.node('twin');
    copy(primary, twin);
    await primary.start();
    await untilMember(primary, one);
    await untilMember(primary, other);
    expect(await primary.ask('PUT k 2')).to.equal('OK');
    const term = await primary.fact('term');
    await twin.start();
    await untilSaid(twin, /is linked from \S+ already: a copy of its data may not run beside it/);
    expect(await twin.ask('GET k')).to.match(/^ERROR NO_QUORUM /);
    expect(await twin.ask('PUT k 3')).to.match(/^ERROR NO_QUORUM /);
    expect(await twin.ask('PROMOTE OTHERS_ARE_DOWN')).to.match(/^ERROR /);
    expect(await twin.fact('service')).to.equal('waiting');
    expect(await primary.ask('PUT k 4')).to.equal('OK');
    expect(await primary.fact('term')).to.equal(term);
  });

  it('TwoBackupsAtEachOthersAddressAreNotTakenForEachOtherAndAreRightAgainAtTheirOwn', async function () {
    this.timeout(60_000);
    const [primary, one, other] = await three();
    await Promise.all([one.stop(), other.stop()]);
    const swapped = [one.movedTo(other), other.movedTo(one)] as const;
    await Promise.all(swapped.map((node) => node.start()));
    for (const { address } of swapped) {
      await untilSaid(primary, new RegExp(`at ${address} there is the node \\w+, and not \\w+`));
    }
    expect(await primary.ask('PUT k 2')).to.match(/^(OK|ERROR (NO_QUORUM|UNCONFIRMED) )/);
    await Promise.all(swapped.map((node) => node.stop()));
    await Promise.all([one.start(), other.start()]);
    await untilMember(primary, one);
    await untilMember(primary, other);
    expect(await primary.ask('PUT k 3')).to.equal('OK');
    for (const node of [one, other]) {
      await node.untilCaughtUpWith(primary);
      expect(await node.ask('GET k')).to.equal('3');
    }
    await promote(other);
    expect(await other.ask('GET k')).to.equal('3');
  });
});
