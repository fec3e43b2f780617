import { expect } from 'chai';
import { Conversation, talk } from '../server/conversation.js';
import { addBackup, clusters, promote } from './cluster.js';
import type { ClusterNode } from './cluster.js';

const MIB = 1024 * 1024;
/** The data may have this many bytes. */
const DATA_BYTES = 10_000;
const BOUNDED = ['--data-bytes-max', String(DATA_BYTES)];

/** A PUT of an entry that takes this many bytes. */
function put(key: string, bytes: number): string {
  return `PUT ${key} ${'v'.repeat(bytes - key.length)}`;
}

describe('The bounds of real nodes', () => {
  const nodes = clusters();

  async function alone(options: readonly string[]): Promise<ClusterNode> {
    const node = await nodes.node('alone', { options });
    await node.start();
    return node;
  }

  /** The codes of the refusals, or what was answered instead. */
  async function answers(node: ClusterNode, ...lines: readonly string[]): Promise<string[]> {
    const answer = await node.talk(lines.map((line) => `${line}\n`).join(''));
    return answer.split('\n').slice(0, -1).map(shortened);
  }

  function shortened(line: string): string {
    return /^ERROR ([A-Z_]+)/.exec(line)?.[1] ?? line;
  }

  describe('on the data', () => {
    it('AreKeptByPutAndMsetAtTheBoundAndOnePastIt', async () => {
      const node = await alone(BOUNDED);
      expect(await answers(node, put('a', 6000))).to.deep.equal(['OK']);
      expect(await answers(node, put('b', 4001))).to.deep.equal(['MEMORY_FULL']);
      expect(await answers(node, put('b', 4000))).to.deep.equal(['OK']);
      expect(await node.fact('data_bytes')).to.equal(String(DATA_BYTES));
      expect(await node.fact('data_bytes_max')).to.equal(String(DATA_BYTES));
      expect(await answers(node, 'PUT c 1', 'GET c', 'EXISTS a b', 'GET nothing')).to.deep.equal([
        'MEMORY_FULL',
        'NULL',
        '2',
        'NULL',
      ]);
      expect(await answers(node, 'MSET a 1 c 1', 'GET c')).to.deep.equal(['MEMORY_FULL', 'NULL']);
      expect(await answers(node, put('a', 6001), put('a', 6000), 'DBSIZE')).to.deep.equal([
        'MEMORY_FULL',
        'OK',
        '2',
      ]);
      expect(await answers(node, 'DELETE b')).to.deep.equal(['OK']);
      const value = 'v'.repeat(1998);
      expect(await answers(node, `MSET b1 ${value} b2 ${value}x`)).to.deep.equal(['MEMORY_FULL']);
      expect(await answers(node, `MSET b1 ${value} b2 ${value}`)).to.deep.equal(['OK']);
      expect(await node.fact('data_bytes')).to.equal(String(DATA_BYTES));
    });

    it('SayWhatToDo', async () => {
      const node = await alone(BOUNDED);
      expect(await node.ask(put('a', 10_001))).to.equal(
        'ERROR MEMORY_FULL not applied: the data holds 0 of at most 10000 bytes, and this adds 10001; ' +
          'delete something, or start the server with a larger --data-bytes-max',
      );
    });

    it('AreNotPassedByManyWritesUnderWayAtOnce', async () => {
      const node = await alone(BOUNDED);
      const clients = await Promise.all(Array.from({ length: 20 }, () => Conversation.open(node.address)));
      for (const [at, client] of clients.entries()) {
        const lines = Array.from({ length: 50 }, (_, turn) => {
          const key = String((at * 7 + turn) % 60).padStart(2, '0');
          return turn % 5 === 0 ? `DELETE ${key}\n` : `${put(key, 200 + ((at + turn) % 3) * 100)}\n`;
        });
        client.send(lines.join(''));
        client.end();
      }
      const all = (await Promise.all(clients.map((client) => client.toTheEnd()))).join('');
      expect(all).to.include('ERROR MEMORY_FULL').and.to.include('OK\n');
      expect(Number(await node.fact('data_bytes'))).to.be.at.most(DATA_BYTES);
    });

    it('HoldAfterARestartWithMoreDataThanTheBound', async () => {
      const node = await alone([]);
      expect(await node.fact('data_bytes_max')).to.equal('none');
      expect(await answers(node, put('a', 20_000), put('b', 5000))).to.deep.equal(['OK', 'OK']);
      await node.stop();
      await node.start({ options: BOUNDED });
      expect(await answers(node, 'PUT c 1', put('a', 20_001), put('a', 20_000))).to.deep.equal([
        'MEMORY_FULL',
        'MEMORY_FULL',
        'OK',
      ]);
      expect(await answers(node, put('a', 5001))).to.deep.equal(['OK']);
      expect(await answers(node, 'PUT c 1')).to.deep.equal(['MEMORY_FULL']);
      expect(await answers(node, 'DELETE b', 'EXISTS a b')).to.deep.equal(['OK', '1']);
      expect(await answers(node, put('c', 4999))).to.deep.equal(['OK']);
    });

    it('BindABackupOnlyOnceItIsPromoted', async () => {
      const primary = await nodes.node('primary');
      const backup = await nodes.node('backup', { primary, options: BOUNDED });
      await Promise.all([primary.start(), backup.start()]);
      await addBackup(primary, backup);
      expect(await answers(primary, put('a', 9000), put('b', 9000))).to.deep.equal(['OK', 'OK']);
      await backup.untilCaughtUpWith(primary);
      expect(await backup.fact('data_bytes')).to.equal('18000');
      await promote(backup);
      expect(await answers(backup, 'PUT c 1', put('b', 9000), 'DELETE a')).to.deep.equal([
        'MEMORY_FULL',
        'OK',
        'OK',
      ]);
      expect(await answers(backup, put('c', 1001))).to.deep.equal(['MEMORY_FULL']);
      expect(await answers(backup, put('c', 1000))).to.deep.equal(['OK']);
      expect(await answers(primary, 'PUT d 1')).to.deep.equal(['NOT_PRIMARY']);
    });
  });

  it('AreThePrimarysAndABackupWithSmallerOnesFollows', async () => {
    const primary = await nodes.node('primary');
    const options = [
      ...['--key-bytes-max', '8', '--value-bytes-max', '16', '--request-bytes-max', '4KiB'],
      ...['--unread-reply-bytes-max', '2MiB', '--buffer-bytes-max', '2MiB', '--request-words-max', '16'],
    ];
    const backup = await nodes.node('backup', { primary, options });
    await Promise.all([primary.start(), backup.start()]);
    await addBackup(primary, backup);
    const long = 'k'.repeat(1000);
    const pairs = Array.from({ length: 100 }, (_, at) => `k${String(at)} ${'v'.repeat(100_000)}`).join(' ');
    expect(await answers(primary, `PUT ${long} 1`, `MSET ${pairs}`)).to.deep.equal(['OK', 'OK']);
    await backup.untilCaughtUpWith(primary);
    expect(await backup.fact('keys')).to.equal('101');
    expect(await answers(backup, 'EXISTS k99', `GET ${long}`)).to.deep.equal(['1', 'TOO_LARGE']);
    expect(await backup.talk('GET k1\n')).to.have.length(100_001);
  });

  it('OfARequestAreCarriedByLinksToABackupThatWouldNotTakeItItself', async function () {
    this.timeout(120_000);
    const primary = await nodes.node('primary', {
      options: ['--value-bytes-max', '80MiB', '--request-bytes-max', '100MiB', '--fsync', 'off'],
    });
    const backup = await nodes.node('backup', { primary, options: ['--fsync', 'off'] });
    await Promise.all([primary.start(), backup.start()]);
    await addBackup(primary, backup);
    // It may well take longer than a write has until it is to be confirmed.
    const answer = await talk(primary.address, `PUT large ${'v'.repeat(80 * MIB)}\n`);
    expect(answer).to.match(/^(OK|ERROR UNCONFIRMED .*)\n$/);
    expect(await answers(primary, `PUT more ${'v'.repeat(80 * MIB + 1)}`)).to.deep.equal(['TOO_LARGE']);
    await backup.untilCaughtUpWith(primary, 60_000);
    expect(await backup.fact('data_bytes')).to.equal(String(80 * MIB + 5));
  });
});
