import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { serverProcesses } from '../faults/server-process.js';
import type { ServerProcess } from '../faults/server-process.js';
import { talk } from '../server/conversation.js';
import { KV, runKv } from './run-kv.js';
import type { Finished } from './run-kv.js';

interface BenchJson {
  readonly ended: string;
  readonly reason: string | null;
  readonly operations: number;
  readonly elapsedMs: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly reads: { readonly operations: number; readonly found: number; readonly p99Ms: number | null };
  readonly writes: {
    readonly operations: number;
    readonly p50Ms: number | null;
    readonly maxMs: number | null;
  };
  readonly missed: number;
  readonly cleaned: number | null;
}

describe('kv bench', function () {
  this.timeout(60_000);
  const servers = serverProcesses();

  function started(...options: string[]): Promise<ServerProcess> {
    return servers.start({ options: ['--fsync', 'off', ...options] });
  }

  function bench(server: ServerProcess, ...words: string[]): Promise<Finished> {
    return runKv(['bench', '--address', server.address, ...words]);
  }

  async function figures(finished: Promise<Finished>): Promise<[code: number | null, json: BenchJson]> {
    const { code, stdout, stderr } = await finished;
    expect(stderr).to.equal('');
    return [code, JSON.parse(stdout.toString()) as BenchJson];
  }

  async function keysOf(server: ServerProcess): Promise<string[]> {
    const lines = (await talk(server.address, 'KEYS\n')).split('\n');
    return lines.slice(0, -2);
  }

  /** Waits until there are several times as many keys as clients, so that most requests were answered. */
  async function untilUnderWay(server: ServerProcess, ended: Promise<unknown>): Promise<void> {
    const state: { hasEnded: boolean } = { hasEnded: false };
    void ended.then(() => (state.hasEnded = true));
    while (Number(await talk(server.address, 'DBSIZE\n')) < 500) {
      if (state.hasEnded) throw new Error('it ended before it was stopped');
    }
  }

  it('DoesAsManyOperationsAsItIsToldAndTouchesNothingElse', async () => {
    const server = await started();
    await talk(server.address, 'PUT other 1\nPUT bench 2\n');
    const words = [
      '--operations',
      '2000',
      '--clients',
      '7',
      '--pipeline',
      '3',
      '--keys',
      '50',
      '--format',
      'json',
    ];
    const [code, json] = await figures(bench(server, ...words));
    expect([code, json.ended, json.operations, json.errors]).to.deep.equal([0, 'done', 2000, {}]);
    expect(json.reads.operations + json.writes.operations).to.equal(2000);
    expect(json.reads.operations).to.be.within(800, 1200);
    expect(json.reads.found).to.be.within(1, json.reads.operations);
    expect(json.writes.p50Ms).to.be.above(0).and.at.most(json.writes.maxMs!);
    const keys = await keysOf(server);
    expect(keys.filter((key) => !/^bench:([0-9]|[1-4][0-9])$/.test(key)).sort()).to.deep.equal([
      'bench',
      'other',
    ]);
    expect(await talk(server.address, 'MGET other bench\n')).to.equal('1\n2\nEND 2\n');
  });

  it('DeletesItsKeysWhenItIsTold', async () => {
    const server = await started();
    await talk(server.address, 'PUT other 1\nPUT x:99 1\nPUT x:100 1\n');
    const words = ['--operations', '500', '--reads', '0', '--keys', '100', '--prefix', 'x:', '--clean'];
    const { code, stdout } = await bench(server, ...words);
    expect(code).to.equal(0);
    expect(stdout.toString()).to.match(/of the keys x:0 to x:99, \d+ were there and are deleted\n$/);
    expect((await keysOf(server)).sort()).to.deep.equal(['other', 'x:100']);
  });

  it('EndsWhenItsTimeIsUp', async () => {
    const server = await started();
    const [code, json] = await figures(
      bench(server, '--seconds', '0.5', '--clients', '2', '--format', 'json'),
    );
    expect([code, json.ended]).to.deep.equal([0, 'done']);
    expect(json.operations).to.be.above(0);
  });

  it('RepeatsTheSameOperationsForTheSameSeed', async () => {
    const contents: string[] = [];
    for (const seed of ['3', '3', '4']) {
      const server = await started();
      const words = ['--operations', '100', '--clients', '1', '--reads', '0', '--keys', '5', '--seed', seed];
      expect((await bench(server, ...words)).code).to.equal(0);
      contents.push(await talk(server.address, 'MGET bench:0 bench:1 bench:2 bench:3 bench:4\n'));
      await server.kill();
    }
    expect(contents[1]).to.equal(contents[0]);
    expect(contents[2]).not.to.equal(contents[0]);
  });

  it('BeginsOperationsAtTheRateThatItIsGiven', async () => {
    const server = await started();
    const words = ['--rate', '400', '--operations', '200', '--clients', '10', '--pipeline', '20'];
    const [code, json] = await figures(bench(server, ...words, '--format', 'json'));
    expect([code, json.operations, json.missed]).to.deep.equal([0, 200, 0]);
    // The last one is due 199 periods behind the first.
    expect(json.elapsedMs).to.be.at.least(199 * 2.5);
  });

  it('KeepsItsFiguresOnCtrlC', async () => {
    const server = await started();
    const words = ['bench', '--address', server.address, '--seconds', '60', '--format', 'json'];
    const child = spawn(process.execPath, [KV, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    await untilUnderWay(server, ended);
    child.kill('SIGINT');
    expect(await ended).to.equal(130);
    const json = JSON.parse(stdout) as BenchJson;
    expect(json.ended).to.equal('interrupted');
    expect(json.operations).to.be.above(0);
  });

  it('KeepsItsFiguresWhenTheServerDies', async () => {
    const server = await started();
    const finished = bench(server, '--seconds', '60', '--format', 'json');
    await untilUnderWay(server, finished);
    await server.kill();
    const [code, json] = await figures(finished);
    expect([code, json.ended]).to.deep.equal([3, 'lost']);
    expect(json.reason).to.match(/^(a connection broke \(|the server closed a connection)/);
    expect(json.operations).to.be.above(0);
  });

  it('GivesUpOnAServerThatStandsStill', async () => {
    const server = await started();
    const finished = bench(server, '--seconds', '60', '--timeout', '3', '--format', 'json');
    await untilUnderWay(server, finished);
    server.signal('SIGSTOP');
    const [code, json] = await figures(finished);
    server.signal('SIGCONT');
    expect([code, json.ended, json.reason]).to.deep.equal([3, 'lost', 'the server sent nothing for 3 s']);
    expect(json.operations).to.be.above(0);
  });

  it('CountsWhatIsRefusedByItsCode', async () => {
    const server = await started('--data-bytes-max', '1KiB');
    const words = ['--operations', '300', '--value-bytes', '2KiB', '--clean'];
    const mixed = await bench(server, ...words);
    expect(mixed.code).to.equal(0);
    expect(mixed.stdout.toString()).to.match(
      /errors:\n +1\d\d MEMORY_FULL, the first: not applied: the data holds/,
    );
    const [code, json] = await figures(bench(server, ...words, '--reads', '0', '--format', 'json'));
    expect([code, json.errors, json.writes.operations]).to.deep.equal([5, { MEMORY_FULL: 300 }, 0]);
  });

  it('SaysWhyTheServerTakesNoMoreClients', async () => {
    const server = await started('--connections-max', '5');
    const [code, json] = await figures(
      bench(server, '--clients', '10', '--seconds', '5', '--format', 'json'),
    );
    expect([code, json.ended]).to.deep.equal([3, 'lost']);
    expect(json.reason).to.match(/5 clients are connected.*BUSY/);
  });

  it('NeedsAServer', async () => {
    const server = await started();
    const { address } = server;
    await server.kill();
    const { code, stdout, stderr } = await runKv(['bench', '--address', address]);
    expect([code, stdout.toString()]).to.deep.equal([3, '']);
    expect(stderr).to.include(`nothing listens at ${address}`);
  });
});
