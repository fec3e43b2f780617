import { expect } from 'chai';
import { createClient } from '../../src/client/client.js';
import type { KvClient } from '../../src/client/client.js';
import type { ClientOptions } from '../../src/client/options.js';
import { failureOf } from './client-fixture.js';
import { OK, notPrimary, refused, value, values } from './resp-answers.js';
import { startScriptedServer } from './scripted-server.js';
import type { Script, ScriptedServer } from './scripted-server.js';

/** What STATUS answers, as far as it matters here. */
function statusOf(role: 'primary' | 'backup', term: number, primary = 'none', service?: string): string {
  const serves = service ?? (role === 'primary' ? 'serving' : 'following');
  return values(`role=${role}`, `service=${serves}`, `primary=${primary}`, `term=${String(term)}`);
}

describe('a client of several servers', () => {
  const ends: (() => void | Promise<void>)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  async function node(script: Script): Promise<ScriptedServer> {
    const server = await startScriptedServer(script);
    ends.push(() => server.close());
    return server;
  }

  function clientOf(servers: readonly ScriptedServer[], options: ClientOptions = {}): KvClient {
    const client = createClient({
      addresses: servers.map(({ address }) => address),
      retryWrites: false,
      ...options,
    });
    ends.unshift(() => {
      client.close();
    });
    return client;
  }

  /** Serves as the primary of this term. */
  function primaryOf(term: number, answer = OK): Script {
    return (line) => {
      if (line === 'STATUS') return statusOf('primary', term);
      return line.startsWith('GET') ? value(`of ${String(term)}`) : answer;
    };
  }

  const backup: Script = (line) => (line === 'STATUS' ? statusOf('backup', 3) : value('old'));

  /** The requests that are no questions of the search. */
  function calls(server: ScriptedServer): string[] {
    return server.lines.filter((line) => line !== 'STATUS');
  }

  it('FindsThePrimaryAmongThemForReadsAndWritesAndLetsGoOfTheOthers', async () => {
    const [other, primary] = [await node(backup), await node(primaryOf(3))];
    const kv = clientOf([other, primary]);
    await Promise.all([kv.put('a', '1'), kv.put('b', '2')]);
    expect(String(await kv.get('a'))).to.equal('of 3');
    expect(calls(other)).to.deep.equal([]);
    expect(calls(primary)).to.deep.equal(['PUT a 1', 'PUT b 2', 'GET a']);
    await other.until(() => other.openConnections() === 0);
  });

  it('FindsAPrimaryThatWasNotNamedButIsKnownToThem', async () => {
    const primary = await node(primaryOf(3));
    const known: Script = (line) =>
      line === 'STATUS' ? statusOf('backup', 3, primary.address) : value('old');
    const kv = clientOf([await node(known), await node(known)]);
    await kv.put('a', '1');
    expect(calls(primary)).to.deep.equal(['PUT a 1']);
  });

  it('WaitsForANodeThatServesWhateverItsRole', async () => {
    let service = 'waiting';
    const primary = await node((line) => (line === 'STATUS' ? statusOf('primary', 3, 'none', service) : OK));
    const kv = clientOf([primary, await node(backup)]);
    const early = await failureOf(kv.put('a', '1', { timeoutMs: 100 }));
    expect([early.code, early.retryable, early.outcomeUnknown]).to.deep.equal(['UNREACHABLE', true, false]);
    expect(early.message).to.match(/no primary was found: \S+ is waiting; \S+ is a backup$/);
    const write = kv.put('b', '2');
    service = 'serving';
    await write;
    expect(calls(primary)).to.deep.equal(['PUT b 2']);
  });

  it('FollowsARefusalThatNamesAnotherNode', async () => {
    const next = await node(primaryOf(4));
    let isPrimary = true;
    const first = await node((line) => {
      if (line === 'STATUS') return isPrimary ? statusOf('primary', 3) : statusOf('backup', 4);
      return isPrimary ? OK : notPrimary(next.address);
    });
    const kv = clientOf([first, await node(backup)]);
    await kv.put('a', '1');
    isPrimary = false;
    await kv.put('b', '2');
    expect(String(await kv.get('b'))).to.equal('of 4');
    expect(calls(first)).to.deep.equal(['PUT a 1', 'PUT b 2']);
    expect(calls(next)).to.deep.equal(['PUT b 2', 'GET b']);
  });

  it('SearchesAgainWhenThePrimaryIsLost', async () => {
    let isServing = false;
    const second = await node((line) => {
      if (line === 'STATUS') return isServing ? statusOf('primary', 4) : statusOf('backup', 3);
      return line.startsWith('GET') ? value('new') : OK;
    });
    const first = await startScriptedServer(primaryOf(3));
    const kv = clientOf([first, second]);
    await kv.put('a', '1');
    await first.close();
    const read = kv.get('b');
    await second.until(() => second.lines.length >= 3);
    const write = kv.put('b', '2');
    isServing = true;
    await Promise.all([read, write]);
    expect(calls(second)).to.have.members(['GET b', 'PUT b 2']);
  });

  it('LooksForANewerPrimaryWhenItsOwnHasNoQuorum', async () => {
    const old = await node(primaryOf(3, refused('NO_QUORUM', 'the others are gone')));
    let term = 2;
    const other = await node((line) => (line === 'STATUS' ? statusOf('primary', term) : OK));
    const kv = clientOf([old, other]);
    // Where the deadline finds one more attempt on its way, nobody knows what became of that one.
    const codes: string[] = [];
    do codes.push((await failureOf(kv.put('a', '1', { timeoutMs: 200 }))).code);
    while (codes.at(-1) === 'TIMEOUT' && codes.length < 10);
    expect(codes.at(-1)).to.equal('NO_QUORUM');
    expect(calls(other)).to.deep.equal([]);
    term = 5;
    for (let at = 0; calls(other).length === 0; at++) {
      await kv.put(`b${String(at)}`, '2').catch(() => undefined);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(calls(old)).to.include('PUT a 1');
  });

  it('ReadsFromAnyOfThemWhenItMayAndGoesOnElsewhereWhenThatOneIsLost', async () => {
    const servers = [await node(backup), await node(backup)];
    let choice = 0;
    const kv = clientOf(servers, { reads: 'any', random: () => choice });
    expect(String(await kv.get('a'))).to.equal('old');
    choice = 0.999;
    expect(String(await kv.get('b'))).to.equal('old');
    expect(servers.map(({ lines }) => lines)).to.deep.equal([['GET a', 'GET b'], []]);
    await servers[0]!.close();
    expect(String(await kv.get('c'))).to.equal('old');
    expect(servers[1]!.lines).to.deep.equal(['GET c']);
  });

  it('FailsAtOnceWhenItIsToldToAndNoPrimaryIsThere', async () => {
    const gone = await startScriptedServer(() => undefined);
    await gone.close();
    const kv = clientOf([gone, await node(backup)], { whenUnreachable: 'fail', timeoutMs: 60_000 });
    const failures = await Promise.all([failureOf(kv.put('a', '1')), failureOf(kv.get('a'))]);
    for (const failure of failures) {
      expect([failure.code, failure.outcomeUnknown]).to.deep.equal(['UNREACHABLE', false]);
      expect(failure.message).to.include(`nothing listens at ${gone.address}`).and.to.include('is a backup');
    }
  });

  it('DoesNotPromoteAnyOfThem', async () => {
    const server = await node(primaryOf(3));
    const kv = clientOf([server, await node(backup)]);
    expect((await failureOf(kv.promote())).code).to.equal('BAD_OPTION');
    expect(server.connections()).to.equal(0);
  });

  it('SendsOperatorsCallsToThePrimaryAndNowhereElse', async () => {
    const [other, primary] = [await node(backup), await node(primaryOf(3, notPrimary('127.0.0.1:1')))];
    expect((await failureOf(clientOf([other, primary]).addBackup('b:1'))).code).to.equal('NOT_PRIMARY');
    expect([calls(other), calls(primary)]).to.deep.equal([[], ['ADD_BACKUP b:1']]);
  });

  it('LeavesNothingBehindThatKeepsTheProcessWhenNobodyWaits', async () => {
    const silent = await node(() => undefined);
    const kv = clientOf([silent, await node(backup)], { timeoutMs: 50 });
    await failureOf(kv.put('a', '1'));
    const asked = silent.connections();
    await new Promise((resolve) => setImmediate(resolve));
    expect(silent.connections()).to.equal(asked);
  });
});
