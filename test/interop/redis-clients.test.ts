import { expect } from 'chai';
import { eventually, inTime } from '../faults/cluster.js';
import { seededRandom } from '../random.js';
import { serverFixture } from '../server/running-server.js';
import { REDIS_CLIENTS } from './redis-clients.js';
import type { RedisClient, Session, SessionOptions } from './redis-clients.js';

const MIB = 1024 * 1024;
const SEED = 20_260_000;

function describeClient(client: RedisClient): void {
  let sessions: Session[] = [];
  afterEach(() => {
    for (const session of sessions) session.abandon();
    sessions = [];
  });
  const fixture = serverFixture();

  async function open(address: string, options?: SessionOptions): Promise<Session> {
    const session = await inTime('connecting', client.open(address, options));
    sessions.push(session);
    return session;
  }

  /** A client of a server that has nothing yet. */
  async function begin(options?: SessionOptions): Promise<Session> {
    return open((await fixture.start()).address, options);
  }

  it('ConnectsWithItsOwnOptionsSetsGetsAndDeletes', async () => {
    const session = await begin();
    expect(await session.get('mykey')).to.equal(null);
    expect(await session.set('mykey', 'myvalue')).to.equal('OK');
    expect(await session.get('mykey')).to.equal('myvalue');
    expect(await session.exists(['mykey', 'other', 'mykey'])).to.equal(2);
    expect(await session.del(['mykey', 'other'])).to.equal(1);
    expect(await session.get('mykey')).to.equal(null);
    expect(session.errors).to.deep.equal([]);
  });

  it('ReadsAndWritesManyKeysAtOnce', async () => {
    const session = await begin();
    expect(await session.mset({ a: '1', b: '', c: 'three words here' })).to.equal('OK');
    expect(await session.mget(['a', 'nothing', 'b', 'c'])).to.deep.equal(['1', null, '', 'three words here']);
    expect(await session.dbsize()).to.equal(3);
  });

  it('KeepsEveryByteOfKeysAndValues', async () => {
    const session = await begin();
    const all = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
    const values = [all, Buffer.from('\r\n$-1\r\n*0\r\n', 'latin1'), Buffer.alloc(0), Buffer.from('ä€😀')];
    for (const [at, value] of values.entries()) {
      const key = Buffer.concat([all, Buffer.from([at])]);
      await session.setBytes(key, value);
      expect((await session.getBytes(key))?.equals(value), String(at)).to.equal(true);
    }
    await session.set('text', 'ä€😀 "quoted"');
    expect(await session.get('text')).to.equal('ä€😀 "quoted"');
  });

  it('CarriesAValueOfSeveralMebibytes', async () => {
    const session = await begin();
    const value = Buffer.alloc(6 * MIB, seededRandom(SEED).bytes(70_001));
    await session.setBytes(Buffer.from('large'), value);
    expect((await session.getBytes(Buffer.from('large')))?.equals(value)).to.equal(true);
    expect(await session.ping()).to.equal('PONG');
  });

  it('HasThousandsOfPipelinedRequestsAnsweredInOrder', async () => {
    const session = await begin();
    const requests: string[][] = [];
    const expected: unknown[] = [];
    for (let at = 0; at < 2000; at++) {
      const key = `k${String(at % 7)}`;
      requests.push(['SET', key, String(at)], ['GET', key]);
      expected.push('OK', String(at));
    }
    expect(await session.pipeline(requests)).to.deep.equal(expected);
  });

  it('ListsEachKeyOnceWithKeysAndWithItsIterator', async () => {
    const session = await begin();
    const names = Array.from({ length: 1500 }, (_, at) => `key:${String(at)}`).sort();
    await session.mset(Object.fromEntries(names.map((name) => [name, 'v'])));
    await session.set('other', 'v');
    expect((await session.keys('key:*')).sort()).to.deep.equal(names);
    expect((await session.keys('nothing*')).sort()).to.deep.equal([]);
    expect((await session.scan('key:*', 100)).sort()).to.deep.equal(names);
    expect((await session.scan('*', 1000)).length).to.equal(1501);
    expect(await session.scan('nothing*', 10)).to.deep.equal([]);
  });

  it('SpeaksTheProtocolThatItAskedFor', async () => {
    const session = await begin({ clientName: 'an-interop-test' });
    // A map or a list, by the protocol and the client; the word behind `proto` is what counts.
    const answer = JSON.stringify(await session.call(['HELLO']));
    expect(answer).to.match(new RegExp(`"proto"[,:]${String(client.protocol)}\\b`));
    expect(await session.call(['CLIENT', 'GETNAME'])).to.equal('an-interop-test');
  });

  it('AsksForItsUsualSmallThings', async () => {
    const session = await begin();
    expect(await session.ping()).to.equal('PONG');
    expect(await session.echo('two words')).to.equal('two words');
    await session.select(0);
    expect(await session.info()).to.match(/^role:master\r$/m);
    expect(await session.call(['CLIENT', 'ID'])).to.be.a('number');
    expect(await session.call(['COMMAND', 'COUNT'])).to.be.a('number');
    expect(JSON.stringify(await session.call(['CONFIG', 'GET', 'appendonly']))).to.include('"yes"');
  });

  it('ToldOfErrorsInRedisWordsGoesOnOnTheSameConnection', async () => {
    const session = await begin();
    const id = await session.call(['CLIENT', 'ID']);
    const outcomes = await session.pipeline([
      ['NOSUCH', 'a', 'b'],
      ['GET'],
      ['GET', 'a', 'b'],
      ['MSET', 'a', '1', 'b'],
      ['SELECT', '1'],
      ['SET', 'a', '1', 'NX'],
      ['SET', 'a', '1'],
      ['GET', 'a'],
    ]);
    const messages = outcomes.map((outcome) => (outcome instanceof Error ? outcome.message : outcome));
    expect(messages.slice(0, 5)).to.deep.equal([
      "ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' ",
      "ERR wrong number of arguments for 'get' command",
      "ERR wrong number of arguments for 'get' command",
      "ERR wrong number of arguments for 'mset' command",
      'ERR DB index is out of range',
    ]);
    expect(messages[5]).to.match(/^SYNTAX /);
    expect(messages.slice(6)).to.deep.equal(['OK', '1']);
    expect(await session.call(['CLIENT', 'ID'])).to.equal(id);
    expect(session.errors).to.deep.equal([]);
  });

  it('ConnectsAgainByItselfAfterTheServerHasStartedAgain', async () => {
    const node = await fixture.start();
    const session = await open(node.address);
    await session.set('mykey', 'before');
    await node.stop();
    const port = Number(node.address.split(':')[1]);
    await fixture.start({ address: { host: '127.0.0.1', port } });
    const value = await eventually(
      'an answer after the start',
      () => session.get('mykey').catch((error: unknown) => String(error)),
      (answer) => answer === 'before',
    );
    expect(value).to.equal('before');
    expect(await session.set('mykey', 'after')).to.equal('OK');
  });

  it('SaysGoodbyeAndKeepsNobody', async () => {
    const node = await fixture.start();
    const session = await open(node.address);
    sessions = [];
    await session.set('mykey', 'myvalue');
    await inTime('quitting', session.quit());
    await inTime('the stop of a server that nobody uses', node.stop(), 2000);
    expect(session.errors).to.deep.equal([]);
  });
}

for (const client of REDIS_CLIENTS) {
  describe(`${client.name}, unmodified`, () => {
    describeClient(client);
  });
}
