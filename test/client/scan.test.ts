import { expect } from 'chai';
import type { Socket } from 'node:net';
import { createClient } from '../../src/client/client.js';
import { KvError } from '../../src/client/errors.js';
import { failureOf, useScriptedServers } from './client-fixture.js';
import { NOTHING, OK, list, refused, value, values } from './resp-answers.js';
import type { Script } from './scripted-server.js';

/** Three pages: a b, none, c. */
const threePages: Script = (line) => {
  const pages: Record<string, string> = {
    '0': list(value('7'), values('a', 'b')),
    '7': list(value('9'), values()),
    '9': list(value('0'), values('c')),
  };
  return pages[line.split(' ')[1] ?? ''] ?? refused('SYNTAX', line);
};

describe('a scan', () => {
  const start = useScriptedServers();

  async function all<Key>(keys: AsyncIterable<Key>): Promise<string[]> {
    const found: string[] = [];
    for await (const key of keys) found.push(String(key));
    return found;
  }

  it('WalksOverAllPagesAndEachLoopIsAWalkOfItsOwn', async () => {
    const [kv, remote] = await start(threePages);
    const keys = kv.scan({ match: 'x y*', count: 2 });
    expect(remote.connections()).to.equal(0);
    expect(await all(keys)).to.deep.equal(['a', 'b', 'c']);
    expect(await all(keys)).to.deep.equal(['a', 'b', 'c']);
    expect(remote.lines).to.deep.equal(
      [...['0', '7', '9'], ...['0', '7', '9']].map((cursor) => `SCAN ${cursor} MATCH x y* COUNT 2`),
    );
    await all(kv.scan());
    expect(remote.lines.at(-1)).to.equal('SCAN 9 COUNT 1000');
  });

  it('AsksForNothingMoreOnceItsLoopIsLeft', async () => {
    const [kv, remote] = await start(threePages);
    for await (const key of kv.scan()) if (String(key) === 'a') break;
    expect(await all(kv.scan({ match: '*' }))).to.have.length(3);
    expect(remote.lines.filter((line) => !line.includes('MATCH'))).to.deep.equal(['SCAN 0 COUNT 1000']);
  });

  it('FailsInTheLoopWithTheReason', async () => {
    const [kv] = await start(() => refused('NO_QUORUM', 'too few'));
    expect((await failureOf(all(kv.scan()))).code).to.equal('NO_QUORUM');
    expect((await failureOf(all(kv.scan({ count: 0 })))).code).to.equal('BAD_OPTION');
    expect((await failureOf(all(kv.scan({ signal: AbortSignal.abort() })))).code).to.equal('ABORTED');
    for (const answer of [OK, list(value('0')), list(value('0'), value('a')), list(OK, values())]) {
      const [odd] = await start(() => answer);
      expect((await failureOf(all(odd.scan()))).code, answer).to.equal('BAD_REPLY');
    }
  });

  it('IsInterruptedWhenAnotherProcessMayAnswerTheNextPage', async () => {
    const sockets: Socket[] = [];
    const [kv, remote] = await start((line, socket, connection, words) => {
      sockets.push(socket);
      return threePages(line, socket, connection, words);
    });
    let failure: unknown;
    try {
      for await (const key of kv.scan()) {
        if (String(key) !== 'b') continue;
        sockets[0]?.destroy();
        await remote.until(() => remote.openConnections() === 0);
        await kv.get('x').catch(() => undefined);
      }
    } catch (error) {
      failure = error;
    }
    expect(failure).to.be.instanceOf(KvError);
    const { code, retryable, outcomeUnknown } = failure as KvError;
    expect([code, retryable, outcomeUnknown]).to.deep.equal(['SCAN_INTERRUPTED', true, false]);
    expect(remote.lines.filter((line) => line.startsWith('SCAN'))).to.have.length(1);
  });
});

describe('a client that answers strings', () => {
  const start = useScriptedServers();

  it('DecodesKeysAndValues', async () => {
    const answers: Record<string, string> = {
      GET: value('\u{feff}ä€'),
      MGET: list(value('ä'), NOTHING),
      KEYS: values('é'),
      SCAN: list(value('0'), values('é')),
    };
    const [, remote] = await start((_line, _socket, _connection, [name = '']) => answers[name] ?? NOTHING);
    const kv = createClient({ address: remote.address, values: 'string' });
    const read: string | undefined = await kv.get('a');
    expect(read).to.equal('\u{feff}ä€');
    const many: (string | undefined)[] = await kv.mget(['a', 'b']);
    expect(many).to.deep.equal(['ä', undefined]);
    const keys: string[] = await kv.keys();
    expect(keys).to.deep.equal(['é']);
    for await (const key of kv.scan()) expect(key).to.equal('é');
    kv.close();
  });

  it('FailsRatherThanToChangeWhatIsNoText', async () => {
    const bytes = Buffer.from([0x61, 0xff]);
    const answers: Record<string, string> = {
      GET: value(bytes),
      MGET: values('a', bytes),
      KEYS: values(bytes),
    };
    const [buffers, remote] = await start((_line, _socket, _connection, [name = '']) => answers[name] ?? OK);
    const kv = createClient({ address: remote.address, values: 'string' });
    for (const call of [kv.get('a'), kv.mget(['a', 'b']), kv.keys()]) {
      const { code, retryable, outcomeUnknown } = await failureOf(call);
      expect([code, retryable, outcomeUnknown]).to.deep.equal(['NOT_TEXT', false, false]);
    }
    expect(await buffers.get('a')).to.deep.equal(bytes);
    kv.close();
  });
});

describe('a client as a resource', () => {
  const start = useScriptedServers();

  it('IsClosedByItsDisposal', async () => {
    const [kv] = await start(() => OK);
    kv[Symbol.dispose]();
    expect((await failureOf(kv.ping())).code).to.equal('CLOSED');
  });
});
