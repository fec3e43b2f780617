import { expect } from 'chai';
import type { Socket } from 'node:net';
import { createClient } from '../../src/client/client.js';
import type { KvClient } from '../../src/client/client.js';
import type { ClientOptions } from '../../src/client/options.js';
import { failureOf } from './client-fixture.js';
import { NOTHING, OK, notPrimary, ok, refused, value } from './resp-answers.js';
import { startScriptedServer } from './scripted-server.js';
import type { Script, ScriptedServer } from './scripted-server.js';

/** A node that answers reads by itself and names a primary for everything else. */
function backupOf(primary: () => string): Script {
  return (line) => (line.startsWith('GET') ? value('old') : notPrimary(`${primary()} takes the writes`));
}

describe('a client of a backup', () => {
  const ends: (() => void | Promise<void>)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  async function node(script: Script): Promise<ScriptedServer> {
    const server = await startScriptedServer(script);
    ends.push(() => server.close());
    return server;
  }

  function clientOf(server: ScriptedServer, options: ClientOptions = {}): KvClient {
    const client = createClient({ address: server.address, retryWrites: false, ...options });
    ends.unshift(() => {
      client.close();
    });
    return client;
  }

  /** Resolves when everything that was answered so far was heard by the client, whose next replies never come. */
  async function untilHeard(kv: KvClient): Promise<void> {
    for (let turn = 0; turn < 2; turn++) await failureOf(kv.get('x', { timeoutMs: 20 }));
  }

  /** An address at which nobody listens. */
  async function nobody(): Promise<string> {
    const gone = await startScriptedServer(() => undefined);
    await gone.close();
    return gone.address;
  }

  it('WritesToThePrimaryThatItNamesAndReadsFromTheBackup', async () => {
    const primary = await node((line) => (line.startsWith('DELETE') ? NOTHING : OK));
    const backup = await node(backupOf(() => primary.address));
    const kv = clientOf(backup);
    await kv.put('a', '1');
    expect(String(await kv.get('a'))).to.equal('old');
    expect(await kv.delete('b')).to.equal(false);
    await kv.mset([['c', '3']]);
    expect(primary.lines).to.deep.equal(['PUT a 1', 'DELETE b', 'MSET c 3']);
    expect(backup.lines).to.deep.equal(['PUT a 1', 'GET a']);
    expect([primary.connections(), backup.connections()]).to.deep.equal([1, 1]);
  });

  it('SendsAReadOnThatTheBackupDoesNotAnswer', async () => {
    const primary = await node(() => value('new'));
    const backup = await node(() => notPrimary(primary.address));
    expect(String(await clientOf(backup).get('a'))).to.equal('new');
  });

  it('BeginsAtTheBackupAgainOnceTheConnectionToThePrimaryIsLost', async () => {
    const sockets: Socket[] = [];
    const first = await node((_line, socket) => {
      sockets.push(socket);
      return OK;
    });
    const second = await node(() => OK);
    let primary = first;
    const backup = await node(backupOf(() => primary.address));
    const kv = clientOf(backup);
    await kv.put('a', '1');
    primary = second;
    sockets[0]?.destroy();
    await first.until(() => first.openConnections() === 0);
    // The client may hear of it a little later than the server; a write that it sends there meanwhile is told as lost.
    while (second.lines.length === 0) await kv.put('b', '2').catch(() => undefined);
    expect([first.lines[0], second.lines[0]]).to.deep.equal(['PUT a 1', 'PUT b 2']);
    expect(backup.lines).to.deep.equal(['PUT a 1', 'PUT b 2']);
  });

  it('FollowsThreeTimesAndNotAFourthTime', async () => {
    const last = await node(() => OK);
    const names: string[] = [last.address];
    let nearest = last;
    for (let hop = 0; hop < 4; hop++) {
      const next = names[0] ?? '';
      nearest = await node(() => notPrimary(`${next} is the primary`));
      names.unshift(nearest.address);
    }
    const failure = await failureOf(clientOf(nearest).put('a', '1'));
    expect([failure.code, failure.retryable, failure.outcomeUnknown]).to.deep.equal([
      'NOT_PRIMARY',
      true,
      false,
    ]);
    expect(last.lines).to.deep.equal([]);
    const kv = createClient({ address: names[1] ?? '', retryWrites: false });
    ends.unshift(() => {
      kv.close();
    });
    await kv.put('a', '1');
    expect(last.lines).to.deep.equal(['PUT a 1']);
  });

  it('LetsGoOfANodeThatIsThePrimaryNoMore', async () => {
    const second = await node(() => OK);
    let isPrimary = true;
    const first = await node(() => (isPrimary ? OK : notPrimary(second.address)));
    const kv = clientOf(await node(backupOf(() => first.address)));
    await kv.put('a', '1');
    isPrimary = false;
    await kv.put('b', '2');
    await first.until(() => first.openConnections() === 0);
    await kv.put('c', '3');
    expect(second.lines).to.deep.equal(['PUT b 2', 'PUT c 3']);
  });

  it('GivesTheRefusalBackWhenItNamesNobodyElse', async () => {
    let message = '';
    const backup = await node(() => notPrimary(message));
    const kv = clientOf(backup);
    for (message of ['unknown', 'unknown is the primary', '', '127.0.0.1:0', 'a:b:c', backup.address]) {
      const failure = await failureOf(kv.put('a', '1'));
      expect([failure.code, failure.message], message).to.deep.equal(['NOT_PRIMARY', message]);
    }
    expect(backup.lines).to.have.length(6);
    expect(backup.connections()).to.equal(1);
  });

  it('LetsNoWriteOvertakeAnother', async () => {
    let refuse: (() => void) | undefined;
    const primary = await node(() => OK);
    const backup = await node((line, socket) => {
      const refusal = notPrimary(primary.address);
      if (line === 'PUT a 1') return refusal;
      refuse = () => socket.write(refusal);
      return undefined;
    });
    const kv = clientOf(backup);
    const writes = [kv.put('a', '1'), kv.put('a', '2')];
    await backup.until(() => refuse !== undefined);
    await untilHeard(kv);
    // The first one was refused by now; it and what comes now wait for the second one.
    writes.push(kv.put('a', '3'), kv.put('a', '4'));
    expect(primary.lines).to.deep.equal([]);
    refuse?.();
    await Promise.all(writes);
    expect(primary.lines).to.deep.equal(['PUT a 1', 'PUT a 2', 'PUT a 3', 'PUT a 4']);
    expect(backup.lines).to.deep.equal(['PUT a 1', 'PUT a 2', 'GET x', 'GET x']);
  });

  it('SendsNoWriteOnBehindOneThatWasBegunLater', async () => {
    const other = await node(() => OK);
    // Becomes the primary between two requests.
    const node1 = await node((line) => (line === 'PUT a 1' ? notPrimary(other.address) : OK));
    const kv = clientOf(node1);
    const [first, second] = [failureOf(kv.put('a', '1')), kv.put('a', '2')];
    await second;
    const failure = await first;
    expect([failure.code, failure.retryable, failure.outcomeUnknown, failure.answered]).to.deep.equal([
      'NOT_PRIMARY',
      true,
      false,
      true,
    ]);
    expect(other.lines).to.deep.equal([]);
  });

  it('HoldsNoMoreWritesThanMayBeUnderWayAndForNoLongerThanTheyMayTake', async () => {
    const primary = await node(() => OK);
    const backup = await node((line) => (line === 'PUT a 1' ? notPrimary(primary.address) : undefined));
    const kv = clientOf(backup, { callsMax: 6, timeoutMs: 400 });
    const [first, unanswered] = [failureOf(kv.put('a', '1')), failureOf(kv.put('a', '2'))];
    await untilHeard(kv);
    const held = failureOf(kv.put('a', '3', { timeoutMs: 20 }));
    const alsoHeld = kv.put('a', '4', { timeoutMs: 5000 });
    expect((await failureOf(kv.put('a', '5'))).code).to.equal('BUSY');
    const late = await held;
    expect([late.code, late.outcomeUnknown]).to.deep.equal(['TIMEOUT', false]);
    const returned = await first;
    expect([returned.code, returned.outcomeUnknown]).to.deep.equal(['TIMEOUT', false]);
    expect((await unanswered).outcomeUnknown).to.equal(true);
    // The silent backup is given up, and what waited for it goes on.
    await alsoHeld;
    expect(primary.lines).to.deep.equal(['PUT a 4']);
  });

  it('NeverSendsAgainWhatMayTakeEffect', async () => {
    const primary = await node(() => OK);
    const backup = await node(() => refused('UNCONFIRMED', primary.address));
    const failure = await failureOf(clientOf(backup).put('a', '1'));
    expect([failure.code, failure.outcomeUnknown]).to.deep.equal(['UNCONFIRMED', true]);
    expect(primary.connections()).to.equal(0);
  });

  it('NeverSendsOnACallThatWasGivenUp', async () => {
    let refuse: (() => void) | undefined;
    const primary = await node(() => OK);
    const backup = await node((line, socket) => {
      if (line === 'PUT b 2') return value('late') + OK;
      if (line === 'PUT a 1') refuse = () => socket.write(notPrimary(primary.address) + value('here'));
      return undefined;
    });
    const abort = new AbortController();
    const kv = clientOf(backup);
    const write = failureOf(kv.put('a', '1', { signal: abort.signal }));
    await backup.until(() => refuse !== undefined);
    abort.abort();
    expect((await write).code).to.equal('ABORTED');
    const [read, late] = [kv.get('c'), kv.get('d')];
    refuse?.();
    expect(String(await read)).to.equal('here');
    await kv.put('b', '2');
    expect(String(await late)).to.equal('late');
    expect(backup.lines).to.deep.equal(['PUT a 1', 'GET c', 'GET d', 'PUT b 2']);
    expect(primary.connections()).to.equal(0);
  });

  it('SpendsOneDeadlineOnAllNodes', async () => {
    const primary = await node(() => undefined);
    const kv = clientOf(await node(backupOf(() => primary.address)));
    const failure = await failureOf(kv.put('a', '1', { timeoutMs: 100 }));
    expect([failure.code, failure.outcomeUnknown]).to.deep.equal(['TIMEOUT', true]);
    expect(primary.lines).to.deep.equal(['PUT a 1']);
  });

  it('KnowsThatNothingWasDoneWhenThePrimaryIsNotThere', async () => {
    let primary = await nobody();
    const backup = await node(backupOf(() => primary));
    const kv = clientOf(backup, { whenUnreachable: 'fail' });
    for (let attempt = 1; attempt <= 2; attempt++) {
      const failure = await failureOf(kv.put('a', '1'));
      expect([failure.code, failure.retryable, failure.outcomeUnknown]).to.deep.equal([
        'UNREACHABLE',
        true,
        false,
      ]);
      expect(failure.message).to.include(primary);
      expect(backup.lines).to.have.length(attempt);
    }
    const next = await node(() => OK);
    primary = next.address;
    await kv.put('a', '1');
    expect(next.lines).to.deep.equal(['PUT a 1']);
  });

  it('WaitsForThePrimaryThatItNamesAndAsksMoreAndMoreSlowly', async () => {
    const gone = await startScriptedServer(() => undefined);
    await gone.close();
    const backup = await node(backupOf(() => gone.address));
    const kv = clientOf(backup, { reconnectDelayMinMs: 20, reconnectDelayMaxMs: 200, random: () => 1 });
    const early = await failureOf(kv.put('a', '1', { timeoutMs: 400 }));
    expect([early.code, early.retryable, early.outcomeUnknown]).to.deep.equal(['UNREACHABLE', true, false]);
    expect(early.message).to.include(`nothing listens at ${gone.address}`);
    // After 20, 40, 80, 160 and 200 ms, and not for each time that the primary turns out to be gone still.
    expect(backup.lines.length).to.be.within(1, 6);
    const writes = [kv.put('b', '2'), kv.put('b', '3')];
    const primary = await startScriptedServer(() => OK, gone.port);
    ends.push(() => primary.close());
    await Promise.all(writes);
    expect(primary.lines).to.deep.equal(['PUT b 2', 'PUT b 3']);
  });

  it('SendsNoOperatorsCommandOn', async () => {
    const primary = await node(() => OK);
    const backup = await node(() => notPrimary(primary.address));
    const kv = clientOf(backup);
    const calls = [kv.addBackup('a:1'), kv.removeBackup('[::1]:1', { backupIsDown: true }), kv.promote()];
    for (const call of calls) expect((await failureOf(call)).code).to.equal('NOT_PRIMARY');
    expect(backup.lines).to.deep.equal(['ADD_BACKUP a:1', 'REMOVE_BACKUP [::1]:1 BACKUP_IS_DOWN', 'PROMOTE']);
    expect(primary.connections()).to.equal(0);
  });

  it('FailsWhatItHoldsWhenItIsClosed', async () => {
    const primary = await node(() => OK);
    const backup = await node((line) => (line === 'PUT a 1' ? notPrimary(primary.address) : undefined));
    const kv = clientOf(backup);
    const writes = [failureOf(kv.put('a', '1')), failureOf(kv.put('a', '2'))];
    await untilHeard(kv);
    writes.push(failureOf(kv.put('a', '3')));
    kv.close();
    const failures = await Promise.all(writes);
    expect(failures.map(({ code }) => code)).to.deep.equal(['CLOSED', 'CLOSED', 'CLOSED']);
    expect(failures.map(({ outcomeUnknown }) => outcomeUnknown)).to.deep.equal([false, true, false]);
    await backup.until(() => backup.openConnections() === 0);
    expect(primary.connections()).to.equal(0);
  });
});

describe('an operator’s calls', () => {
  const ends: (() => void | Promise<void>)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  async function clientFor(script: Script): Promise<[KvClient, ScriptedServer]> {
    const server = await startScriptedServer(script);
    const client = createClient({ address: server.address });
    ends.push(() => {
      client.close();
      return server.close();
    });
    return [client, server];
  }

  it('SayWhatTheyMeanAndReadWhatTheyAreAnswered', async () => {
    const answers: Record<string, string> = {
      'ADD_BACKUP 127.0.0.1:2': ok('state=learner'),
      'REMOVE_BACKUP 127.0.0.1:2': OK,
      'PROMOTE OTHERS_ARE_DOWN': ok(
        'role=primary term=4 position=4:9 found=[::1]:2@3:8,b:3@none left_out=b:3,c:4 newer=yes',
      ),
      'PROMOTE OTHERS_ARE_DOWN ACCEPT_DATA_LOSS': ok('role=primary term=5 position=5:1 known_up_to=4:9'),
      PROMOTE: ok('role=primary term=6 position=6:1 handed_over_by=b:3'),
    };
    const [kv] = await clientFor((line) => answers[line] ?? refused('SYNTAX', 'not in the script'));
    await kv.addBackup({ host: '127.0.0.1', port: 2 });
    await kv.removeBackup('127.0.0.1:2');
    expect(await kv.promote({ othersAreDown: true })).to.deep.equal({
      term: 4,
      position: '4:9',
      found: [
        { address: '[::1]:2', position: '3:8' },
        { address: 'b:3', position: undefined },
      ],
      leftOut: ['b:3', 'c:4'],
      handedOverBy: undefined,
      knownUpTo: undefined,
    });
    const forced = await kv.promote({ othersAreDown: true, acceptDataLoss: true });
    expect([forced.term, forced.knownUpTo, forced.found, forced.leftOut]).to.deep.equal([5, '4:9', [], []]);
    expect((await kv.promote()).handedOverBy).to.equal('b:3');
  });

  it('AreRefusedBeforeTheyAreSentWhenTheyMakeNoSense', async () => {
    const [kv, server] = await clientFor(() => OK);
    for (const call of [
      kv.addBackup('nowhere'),
      kv.removeBackup('a:0'),
      kv.promote({ acceptDataLoss: true }),
    ]) {
      expect((await failureOf(call)).code).to.equal('BAD_OPTION');
    }
    expect(server.connections()).to.equal(0);
  });

  it('LeaveTheOutcomeOpenWhenNoAnswerComes', async () => {
    const [kv] = await clientFor(() => undefined);
    const failure = await failureOf(kv.promote({ timeoutMs: 100 }));
    expect([failure.code, failure.outcomeUnknown]).to.deep.equal(['TIMEOUT', true]);
    expect(failure.message).to.include('the change may have taken effect');
  });

  it('TakeOnlyAnAnswerThatFits', async () => {
    for (const answer of [NOTHING, OK, ok('role=primary term=x position=1:1'), ok('term=1')]) {
      const [kv] = await clientFor(() => answer);
      const failure = await failureOf(kv.promote());
      expect([failure.code, failure.outcomeUnknown], answer).to.deep.equal(['BAD_REPLY', true]);
    }
  });
});
