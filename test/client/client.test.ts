import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { useScriptedServers } from './client-fixture.js';
import { startScriptedServer } from './scripted-server.js';
import { NOTHING, OK, integer, list, ok, refused, text, value, values } from './resp-answers.js';

describe('client', () => {
  const start = useScriptedServers();

  it('EveryCallSaysWhatItMeansAndReadsWhatItIsAnswered', async () => {
    const answers: Record<string, string> = {
      'GET a': value('hello world'),
      'GET b': NOTHING,
      'GET b\nc': value(Buffer.from([255, 10])),
      'PUT a  1 ': OK,
      'DELETE a': OK,
      'DELETE b': NOTHING,
      'EXISTS a': integer(1),
      'EXISTS b': integer(0),
      KEYS: values('a', 'a b'),
      'KEYS a*': list(),
      'MGET a b': list(value('1'), NOTHING),
      'MSET a 1 b ': OK,
      DBSIZE: integer(12),
      PING: text('PONG'),
      HEARTBEAT: ok('role=primary term=1'),
      SNAPSHOT: ok('position=1:5'),
      STATUS: values('role=primary', 'note=a b=c', 'member=h:1 role=primary lag=0'),
    };
    const [kv] = await start((line) => answers[line] ?? refused('SYNTAX', 'not in the script'));
    expect((await kv.get('a'))?.toString()).to.equal('hello world');
    expect(await kv.get('b')).to.equal(undefined);
    expect(await kv.get(Buffer.from('b\nc'))).to.deep.equal(Buffer.from([255, 10]));
    await kv.put('a', ' 1 ');
    expect(await kv.delete('a')).to.equal(true);
    expect(await kv.delete('b')).to.equal(false);
    expect(await kv.exists('a')).to.equal(true);
    expect(await kv.exists('b')).to.equal(false);
    expect((await kv.keys()).map(String)).to.deep.equal(['a', 'a b']);
    expect(await kv.keys('a*')).to.deep.equal([]);
    expect(await kv.mget(['a', 'b'])).to.deep.equal([Buffer.from('1'), undefined]);
    await kv.mset(
      new Map([
        ['a', '1'],
        ['b', ''],
      ]),
    );
    expect(await kv.count()).to.equal(12);
    await kv.ping();
    expect(await kv.heartbeat()).to.deep.equal(
      new Map([
        ['role', 'primary'],
        ['term', '1'],
      ]),
    );
    expect(await kv.snapshot()).to.equal('1:5');
    const { facts, members } = await kv.status();
    expect([...facts]).to.deep.equal([
      ['role', 'primary'],
      ['note', 'a b=c'],
    ]);
    expect(members.map((member) => [...member])).to.deep.equal([
      [
        ['member', 'h:1'],
        ['role', 'primary'],
        ['lag', '0'],
      ],
    ]);
  });

  it('NothingIsSentForNothing', async () => {
    const [kv, remote] = await start(() => OK);
    expect(await kv.mget([])).to.deep.equal([]);
    await kv.mset([]);
    expect(remote.connections()).to.equal(0);
  });

  it('CallsOfOneTurnLeaveTogetherOnOneConnection', async () => {
    const [kv, remote] = await start((line) => value(line.slice(4)));
    await kv.get('first');
    const keys = Array.from({ length: 100 }, (_, at) => `k${String(at)}`);
    const values = await Promise.all(keys.map((key) => kv.get(key)));
    expect(values.map(String)).to.deep.equal(keys);
    expect(remote.connections()).to.equal(1);
    expect(remote.chunks).to.have.length(2);
  });

  it('BytesAreCopiedBeforeTheCallReturns', async () => {
    const [kv, remote] = await start(() => OK);
    const value = Buffer.from('before');
    const written = kv.put('k', value);
    value.fill('x');
    await written;
    expect(remote.lines).to.deep.equal(['PUT k before']);
  });

  it('AKeyAndAValueAtTheBoundTravel', async () => {
    const [kv, remote] = await start(() => OK, { timeoutMs: 15_000 });
    await kv.put('k'.repeat(65_536), Buffer.alloc(64 * 1024 * 1024, 'v'));
    expect(remote.lines[0]?.length).to.equal(4 + 65_536 + 1 + 64 * 1024 * 1024);
  });

  /** Runs a program with a client made with these options, and answers its exit code, what it printed and how long it took. */
  async function runProgram(options: object, work: string): Promise<[number, string, number]> {
    const library = new URL('../../src/client/client.js', import.meta.url).href;
    const program = `
      const { createClient } = await import(${JSON.stringify(library)});
      const client = createClient(${JSON.stringify(options)});
      ${work}
      console.log('answered', performance.now());`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program]);
    const output: Buffer[] = [];
    let answeredMs = NaN;
    child.stdout.on('data', (chunk: Buffer) => {
      output.push(chunk);
      answeredMs = performance.now();
    });
    const [code] = (await once(child, 'close')) as [number];
    const [word = ''] = Buffer.concat(output).toString().split(' ');
    return [code, word, performance.now() - answeredMs];
  }

  it('AnIdleClientDoesNotKeepTheProcessAlive', async () => {
    const [, remote] = await start(() => text('PONG'));
    const [code, word] = await runProgram({ address: remote.address }, 'await client.ping();');
    expect([code, word]).to.deep.equal([0, 'answered']);
  });

  it('NeitherDoesOneThatAskedAServerThatIsSilentOrGone', async () => {
    const gone = await startScriptedServer(() => undefined);
    await gone.close();
    const [, silent] = await start(() => undefined);
    const [, primary] = await start((line) =>
      line === 'STATUS' ? values('role=primary', 'service=serving', 'term=1') : OK,
    );
    const addresses = [gone, silent, primary].map(({ address }) => address);
    const [code, word, lingeredMs] = await runProgram(
      { addresses, timeoutMs: 60_000 },
      "await client.put('a', '1');",
    );
    expect([code, word]).to.deep.equal([0, 'answered']);
    expect(lingeredMs).to.be.below(10_000);
  });

  it('NeitherDoesAFailureThatNobodyAwaits', async () => {
    const gone = await startScriptedServer(() => undefined);
    await gone.close();
    const work = "void client.put('a', '1'); void client.scan()[Symbol.asyncIterator]().next();";
    const [code, word] = await runProgram({ address: gone.address, timeoutMs: 100 }, work);
    expect([code, word]).to.deep.equal([0, 'answered']);
  });
});
