import { expect } from 'chai';
import { testSeed, withSeed } from '../random.js';
import { Conversation, talk } from '../server/conversation.js';
import { contentOfFile, contentOfServer } from './content.js';
import { Load } from './load.js';
import { serverProcesses } from './server-process.js';
import type { ServerProcess } from './server-process.js';

const DONE = { code: 0, signal: null };
const LARGE_VALUE_BYTES = 24 * 1024 * 1024;
/** Two signals within this time are one. */
const SAME_SIGNAL_MS = 300;

describe('A server that is told to stop', () => {
  const servers = serverProcesses();

  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    it(`by ${signal} answers everything that it does, and leaves the JSON file complete`, async () => {
      await withSeed(testSeed(), async (random) => {
        const load = new Load(random);
        const options = ['--log-segment-bytes', '16384'];
        const server = await servers.start({ options });
        await load.begin(server.address);
        await load.answers(500 + random.below(500));
        server.signal(signal);
        expect(await server.ended).to.deep.equal(DONE);
        await load.closed();
        expect(load.refusals).to.deep.equal([]);
        expect(load.settle(contentOfFile(servers.dbPath)), 'done without an answer').to.equal(0);
        const next = await servers.start({ options });
        expect(load.settle(await contentOfServer(next.address))).to.equal(0);
        expect(next.stderr).to.include('"cleanStop":true');
      });
    });
  }

  it('waits for no client that is idle', async () => {
    const server = await servers.start();
    const idle = await Promise.all(Array.from({ length: 20 }, () => Conversation.open(server.address)));
    // One more has been answered, and one has begun a request: they are idle, too.
    idle[0]!.send('PING\n');
    await idle[0]!.lines(1);
    idle[1]!.send('PUT half a-req');
    const startMs = performance.now();
    server.signal('SIGTERM');
    expect(await server.ended).to.deep.equal(DONE);
    expect(performance.now() - startMs).to.be.lessThan(2000);
  });

  it('takes two signals at the same moment for one', async () => {
    const server = await servers.start();
    server.signal('SIGINT');
    server.signal('SIGTERM');
    expect(await server.ended).to.deep.equal(DONE);
  });

  /** Has the server hold a large reply that its client does not take. */
  async function unreadReply(server: ServerProcess): Promise<void> {
    const put = Buffer.concat([
      Buffer.from('PUT large '),
      Buffer.alloc(LARGE_VALUE_BYTES, 'x'),
      Buffer.from('\n'),
    ]);
    expect(await talk(server.address, put)).to.equal('OK\n');
    const reader = await Conversation.open(server.address);
    const begun = new Promise<void>((resolve) => {
      reader.socket.once('data', () => {
        reader.socket.pause();
        resolve();
      });
    });
    reader.send('GET large\n');
    await begun;
  }

  it('stops at once at the second signal, and the next start has everything', async () => {
    const server = await servers.start();
    await unreadReply(server);
    const startMs = performance.now();
    server.signal('SIGTERM');
    await server.until(() => server.hasEvent('stopping; once more to stop at once'));
    const again = setInterval(() => server.signal('SIGTERM'), 20);
    const ended = await server.ended.finally(() => {
      clearInterval(again);
    });
    expect(ended.code).to.equal(128 + 15);
    expect(performance.now() - startMs)
      .to.be.greaterThan(SAME_SIGNAL_MS)
      .and.lessThan(3000);
    expect(server.hasEvent('stopped at once; the log is recovered at the next start')).to.equal(true);
    const next = await servers.start();
    expect((await contentOfServer(next.address)).get('large')!.length).to.equal(LARGE_VALUE_BYTES);
  });

  it('lets go of a client that never takes its replies', async () => {
    const server = await servers.start();
    await unreadReply(server);
    server.signal('SIGTERM');
    expect(await server.ended).to.deep.equal(DONE);
    expect(server.hasEvent('clients did not take their replies in time')).to.equal(true);
    expect(contentOfFile(servers.dbPath).get('large')!.length).to.equal(LARGE_VALUE_BYTES);
  });
});
