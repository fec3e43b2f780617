import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { EXIT } from '../../src/cli/exit.js';
import { testSeed, withSeed } from '../random.js';
import { Conversation, talk } from '../server/conversation.js';
import { contentOfServer } from './content.js';
import { Load } from './load.js';
import { serverProcesses } from './server-process.js';
import type { ServerProcess } from './server-process.js';

const SMALL_SEGMENTS = ['--log-segment-bytes', '16384'];

/** The words that have strace fail a system call with an error; `when` counts the calls of each thread. */
function failing(call: string, error: string, when: string): string[] {
  return ['-f', '-e', `trace=${call}`, '-e', `inject=${call}:error=${error}:when=${when}`, '-o', '/dev/null'];
}

describe('A server below which the disk fails', () => {
  const servers = serverProcesses();
  let tracer: ReturnType<typeof spawn> | undefined;

  afterEach(() => {
    tracer?.kill();
    tracer = undefined;
  });

  /** From here on the calls of a running server fail. */
  async function fail(server: ServerProcess, call: string, error: string): Promise<void> {
    const child = spawn('strace', [...failing(call, error, '1+'), '-p', String(server.processId)]);
    tracer = child;
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code) => {
        if (code !== null && code > 0) reject(new Error(`strace ended with ${String(code)}`));
      });
      child.stderr.on('data', (chunk: Buffer) => {
        if (chunk.includes('attached')) resolve();
      });
    });
  }

  // The log's writes are durable by themselves, so none of them is followed by a sync.
  for (const [call, error] of [
    ['pwritev', 'EIO'],
    ['pwritev', 'ENOSPC'],
  ] as const) {
    it(`says OK to nothing once ${call} answers ${error}, and ends with a failure`, async () => {
      const server = await servers.start();
      const client = await Conversation.open(server.address);
      client.send('PUT a 1\n');
      await client.lines(1);
      await fail(server, call, error);
      client.send('PUT a 2\nPUT b 2\n');
      const answers = (await client.toTheEnd()).split('\n').slice(0, -1);
      expect(answers[0]).to.equal('OK');
      for (const answer of answers.slice(1)) expect(answer).to.match(/^ERROR (UNCONFIRMED|INTERNAL) /);
      const { code } = await server.ended;
      expect(code).to.equal(EXIT.failed);
      expect(server.hasEvent('nothing more can be written; this node stops')).to.equal(true);
      const next = await servers.start();
      expect(await talk(next.address, 'GET a\nMGET a b\n')).to.be.oneOf([
        '1\n1\nNULL\nEND 2\n',
        '2\n2\nNULL\nEND 2\n',
        '2\n2\n2\nEND 2\n',
      ]);
    });
  }

  it('ends with a failure also when the disk fails while it stops', async () => {
    const server = await servers.start();
    // The call hangs for a second before it fails: long enough to be told to stop meanwhile. Beside many that do not write,
    // it is made while others are served.
    await fail(server, 'pwritev', 'EIO:delay_enter=1000000');
    const idle = await Promise.all(Array.from({ length: 30 }, () => Conversation.open(server.address)));
    for (const each of idle) {
      each.send('PING\n');
      await each.lines(1);
    }
    const client = await Conversation.open(server.address);
    client.send('PUT a 1\n');
    const isUnderWay = /index=(\d+) commit=(?!\1\n)/;
    while (!isUnderWay.test(await talk(server.address, 'HEARTBEAT\n')));
    server.signal('SIGTERM');
    expect(await client.toTheEnd()).to.match(/^ERROR UNCONFIRMED /);
    expect((await server.ended).code).to.equal(EXIT.failed);
  });

  for (const call of ['fdatasync', 'fsync', 'pwrite64', 'pwritev']) {
    it(`does not start when ${call} answers EIO, and the next start has everything`, async () => {
      const first = await servers.start();
      expect(await talk(first.address, 'PUT a 1\n')).to.equal('OK\n');
      await first.kill();
      const second = servers.launch({ under: ['strace', ...failing(call, 'EIO', '1+')] });
      expect((await second.ended).code).to.be.greaterThan(0);
      expect(second.stdout).to.equal('');
      expect(second.stderr).to.match(/^kv: [^\n]*EIO[^\n]*\n$/m);
      const next = await servers.start();
      expect(await talk(next.address, 'GET a\nDBSIZE\n')).to.equal('1\n1\n');
    });
  }

  for (const [call, error] of [
    ['fdatasync', 'EIO'],
    ['fdatasync', 'ENOSPC'],
    ['fsync', 'EIO'],
    ['pwritev', 'EIO'],
    ['pwritev', 'ENOSPC'],
  ] as const) {
    it(`has every acknowledged write at the next start when ${call} answered ${error} under load`, async () => {
      await withSeed(testSeed(), async (random) => {
        const load = new Load(random);
        for (let round = 0; round < 3; round++) {
          const before = await servers.start({ options: SMALL_SEGMENTS });
          await before.kill();
          const under = ['strace', ...failing(call, error, String(10 + random.below(40)))];
          const server = await servers.start({ options: SMALL_SEGMENTS, under });
          await load.begin(server.address);
          await Promise.race([server.ended, load.answers(4000)]);
          await load.finish();
          const isFinal = load.refusals.some((answer) => answer.startsWith('ERROR UNCONFIRMED '));
          if (server.hasEnded || isFinal) expect((await server.ended).code).to.equal(EXIT.failed);
          await server.kill();
          const next = await servers.start({ options: SMALL_SEGMENTS });
          load.settle(await contentOfServer(next.address));
          await next.kill();
        }
      });
    });
  }
});
