import { expect } from 'chai';
import { createClient } from '../../src/client/client.js';
import { seededRandom } from '../random.js';
import { clusters } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { contentOfFile, contentOfServer } from './content.js';

const LARGE_BYTES = 60 * 1024 * 1024;
const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, at) => at));

/** What a stream of lines, of words or of text could trip over. */
const ODD_VALUES = [
  '',
  ' ',
  '\t \t',
  ' both ends ',
  '\n',
  '\r\n',
  'two\nlines\n',
  'PUT other 1\nDELETE odd-0\n',
  'END 3',
  'NULL',
  '"quoted"',
  '\\n',
  '\u0000',
  'é€😀',
  'REPLICATE version=1',
];

describe('A backup of a real node', () => {
  const nodes = clusters();

  it('HasEveryByteAsItWasWritten', async function () {
    this.timeout(90_000);
    const [primary, backup] = (await nodes.of(2)) as [ClusterNode, ClusterNode];
    const client = createClient({ address: primary.address, timeoutMs: 20_000 });
    const expected = new Map<string, string>();
    const put = async (key: Buffer, value: Buffer): Promise<void> => {
      await client.put(key, value);
      expected.set(key.toString('latin1'), value.toString('latin1'));
    };
    const large = seededRandom(1).bytes(1024 * 1024);
    try {
      await Promise.all(
        ODD_VALUES.map((value, at) => put(Buffer.from(`odd-${String(at)}`), Buffer.from(value))),
      );
      await Promise.all(
        ODD_VALUES.flatMap((key) => (key === '' ? [] : [put(Buffer.from(key), Buffer.from('odd key'))])),
      );
      await put(Buffer.from('all bytes'), ALL_BYTES);
      await put(ALL_BYTES, Buffer.from('all bytes'));
      await Promise.all(Array.from(ALL_BYTES, (byte) => put(Buffer.from([0x6b, byte]), Buffer.from([byte]))));
      await put(Buffer.from('large'), Buffer.alloc(LARGE_BYTES, large));
      for (const key of ['odd-1', 'odd-5', 'k\u0000']) {
        expect(await client.delete(Buffer.from(key, 'latin1'))).to.equal(true);
        expected.delete(key);
      }
      await client.mset([
        ['odd-2', 'again'],
        ['new', ''],
      ]);
      expected.set('odd-2', 'again').set('new', '');
    } finally {
      client.close();
    }
    await backup.untilCaughtUpWith(primary);
    expectSame(await contentOfServer(backup.address), expected);
    const raw = await backup.kv('get', 'large', '--timeout', '20');
    expect(raw.code).to.equal(0);
    expect(raw.stdout.equals(Buffer.alloc(LARGE_BYTES, large))).to.equal(true);
    for (const node of [primary, backup]) {
      expect(await node.ask('SNAPSHOT')).to.match(/^OK position=/);
      expectSame(contentOfFile(node.dbPath), expected);
    }
    await backup.kill();
    await backup.start();
    await backup.untilCaughtUpWith(primary);
    expectSame(await contentOfServer(backup.address), expected);
  });
});

/** Without a message of 60 MiB when they differ. */
function expectSame(content: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>): void {
  const wrong = [...expected].filter(([key, value]) => content.get(key) !== value).map(([key]) => key);
  expect(wrong).to.deep.equal([]);
  expect(content.size).to.equal(expected.size);
}
