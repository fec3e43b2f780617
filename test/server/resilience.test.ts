import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { DEFAULT_SERVER_LIMITS } from '../../src/server/limits.js';
import type { ServerLimits } from '../../src/server/limits.js';
import { Conversation, talk } from './conversation.js';
import { serverFixture } from './running-server.js';

function limits(changes: Partial<ServerLimits>): ServerLimits {
  return { ...DEFAULT_SERVER_LIMITS, ...changes };
}

describe('The server', () => {
  const fixture = serverFixture();

  it('GoesOnForOthersWhenAClientResetsWithReadsBetweenItsWrites', async () => {
    const { address, failed } = await fixture.start();
    let hasFailed = false;
    void failed.then(() => (hasFailed = true));
    const value = 'v'.repeat(1000);
    for (let round = 0; round < 5; round++) {
      const client = await Conversation.open(address);
      client.send(
        Array.from({ length: 2000 }, (_, at) => `PUT a${String(at)} ${value}\nGET a${String(at)}\n`).join(''),
      );
      await client.until((received) => received.length > 0);
      client.socket.resetAndDestroy();
      expect(await talk(address, 'PUT other 1\nGET other\n')).to.equal('OK\n1\n');
    }
    expect(hasFailed).to.equal(false);
  });

  it('AnswersOthersWhileItReadsALongLine', async () => {
    const { address } = await fixture.start();
    const long = await Conversation.open(address);
    const other = await Conversation.open(address);
    long.send(`PUT k "${'\\x01'.repeat(4_000_000)}`);
    await new Promise<void>((resolve) => long.socket.write('"', () => resolve()));
    long.end('\nEXISTS k\nPING\n');
    let pongs = 0;
    while (long.received === '') {
      other.send('PING\n');
      pongs++;
      await other.until((received) => received.length === pongs * 'PONG\n'.length);
    }
    expect(pongs).to.be.at.least(10);
    await long.until((received) => received.endsWith('PONG\n'));
    expect(long.received).to.equal('OK\n1\nPONG\n');
    other.end();
  });

  it('ForgetsALongLineWhoseClientLeavesWhileItIsRead', async () => {
    const { address } = await fixture.start({ limits: limits({ bufferBytesMax: 24 * 1024 * 1024 }) });
    const line = `PUT k "${'\\x01'.repeat(4_000_000)}"\n`;
    for (let round = 0; round < 3; round++) {
      const client = await Conversation.open(address);
      await new Promise<void>((resolve) => client.socket.write(line, () => resolve()));
      client.socket.resetAndDestroy();
    }
    // Until the server has noticed that they left. What it did not let go of would be counted for ever.
    const put = `PUT a ${'v'.repeat(16_000_000)}\nEXISTS a\n`;
    let answer = await talk(address, put);
    while (answer.startsWith('ERROR BUSY')) answer = await talk(address, put);
    expect(answer).to.equal('OK\n1\n');
  });

  it('ForgetsALongReplyWhoseClientLeavesWhileItIsWritten', async () => {
    const { address } = await fixture.start({ limits: limits({ bufferBytesMax: 48 * 1024 * 1024 }) });
    await talk(address, `PUT k ${'v'.repeat(100)}\n`);
    const read = `MGET${' k'.repeat(200_000)}\n`;
    /** How many commands the server has begun, this one included. */
    const begun = async (): Promise<number> => {
      const [, count] = /total_commands_processed:(\d+)/.exec(await talk(address, 'INFO stats\n')) ?? [];
      return Number(count);
    };
    for (let round = 0; round < 4; round++) {
      const client = await Conversation.open(address);
      let before = await begun();
      client.send(read);
      for (let now = await begun(); now === before + 1; now = await begun()) before = now;
      client.socket.resetAndDestroy();
    }
    const put = `PUT a ${'v'.repeat(16_000_000)}\nEXISTS a\n`;
    let answer = await talk(address, put);
    while (answer.startsWith('ERROR BUSY')) answer = await talk(address, put);
    expect(answer).to.equal('OK\n1\n');
  });

  it('AnswersALargeReadBetweenTwoWritesWithWhatWasWrittenBeforeIt', async () => {
    const { address } = await fixture.start();
    const read = `EXISTS${' k'.repeat(20_000)}\n`;
    const sent = `PUT k 1\n${read}DELETE k\n${read}PUT k 2\n${read}PING\n`;
    expect(await talk(address, sent)).to.equal('OK\n20000\nOK\n0\nOK\n20000\nPONG\n');
  });

  it('ReadsOnAfterALongListThatTheKernelTookAtOnce', async () => {
    const { address } = await fixture.start();
    const padding = 'x'.repeat(500);
    const puts = Array.from({ length: 5000 }, (_, at) => `PUT ${padding}${String(at)} v\n`).join('');
    await talk(address, puts);
    const client = await Conversation.open(address);
    client.send('KEYS\n');
    await client.until((received) => received.endsWith('END 5000\n'));
    client.send('PING\n');
    await client.until((received) => received.endsWith('PONG\n'));
    client.end();
  });

  it('RefusesAListPastTheBoundOfAReplyAndGoesOn', async () => {
    const bound = 1000;
    const { address } = await fixture.start({ limits: limits({ unreadReplyBytesMax: bound }) });
    const value = 'v'.repeat(99);
    await talk(address, `PUT k ${value}\n`);
    const atBound = await talk(address, `MGET${' k'.repeat(10)}\n`);
    expect(atBound).to.equal(`${`${value}\n`.repeat(10)}END 10\n`);
    const past = await talk(address, `PING\nMGET${' k'.repeat(11)}\nPING\n`);
    expect(past).to.match(/^PONG\nERROR TOO_LARGE [^\n]*\nPONG\n$/);
  });

  it('AnswersAValueThatStandsAloneHoweverItHasToBeEscaped', async () => {
    const { address } = await fixture.start({ limits: limits({ unreadReplyBytesMax: 100_000 }) });
    const value = '\x01'.repeat(50_000);
    expect(await talk(address, `PUT k ${value}\nPING\n`)).to.equal('OK\nPONG\n');
    expect(await talk(address, 'GET k\n')).to.equal(`"${'\\x01'.repeat(50_000)}"\n`);
  });

  it('RefusesAReplyBehindOthersThatTogetherPassTheBoundAndGoesOn', async () => {
    const { address } = await fixture.start({ limits: limits({ unreadReplyBytesMax: 1000 }) });
    const value = 'v'.repeat(600);
    // Behind the write, so that all three are answered in one turn, before anything is sent.
    const received = await talk(address, `PUT k ${value}\nGET k\nGET k\nPING\n`);
    expect(received).to.match(new RegExp(`^OK\n${value}\nERROR TOO_LARGE [^\n]*\nPONG\n$`));
  });

  it('RefusesALargeReplyWhenTheBudgetOfAllConnectionsIsUsedUp', async () => {
    const { address } = await fixture.start({ limits: limits({ bufferBytesMax: 1_500_000 }) });
    const value = 'v'.repeat(1_200_000);
    expect(await talk(address, `PUT k ${value}\n`)).to.equal('OK\n');
    expect(await talk(address, 'MGET k k\nPING\n')).to.match(/^ERROR BUSY [^\n]*\nPONG\n$/);
    expect(await talk(address, 'GET k\n')).to.equal(`${value}\n`);
  });

  it('RefusesAPatternPastItsBound', async () => {
    const { address } = await fixture.start();
    expect(await talk(address, `KEYS ${'*'.repeat(256)}\n`)).to.equal('END 0\n');
    expect(await talk(address, `KEYS ${'*'.repeat(257)}\n`)).to.match(/^ERROR TOO_LARGE /);
  });

  it('TakesASnapshotOfTheWritesInFrontOfIt', async () => {
    const { address } = await fixture.start();
    await talk(address, 'SNAPSHOT\n');
    expect(await talk(address, 'PUT a 1\nPUT b 2\nSNAPSHOT\n')).to.equal('OK\nOK\nOK position=1:3\n');
    const file = JSON.parse(readFileSync(fixture.dbPath, 'utf8')) as { data: unknown };
    expect(file.data).to.deep.equal({ a: '1', b: '2' });
  });

  it('SharesOneSnapshotAmongThoseWhoAskWhileAnotherIsWritten', async () => {
    const { address } = await fixture.start();
    await talk(address, 'PUT a 1\n');
    const answers = await Promise.all(Array.from({ length: 20 }, () => talk(address, 'PUT a 2\nSNAPSHOT\n')));
    for (const answer of answers) expect(answer).to.match(/^OK\nOK position=1:\d+\n$/);
  });

  it('TurnsAwayUnfinishedRequestsThatTogetherPassTheBudgetAndServesTheRest', async () => {
    const { address } = await fixture.start({ limits: limits({ bufferBytesMax: 300_000 }) });
    const half = `PUT k ${'v'.repeat(100_000)}`;
    const clients: Conversation[] = [];
    for (let count = 0; count < 5; count++) {
      const client = await Conversation.open(address);
      client.send(half);
      clients.push(client);
    }
    const turnedAway = await Promise.race(clients.map((client) => client.toTheEnd()));
    expect(turnedAway).to.match(/^ERROR BUSY /);
    for (const client of clients) client.socket.destroy();
    expect(await talk(address, 'PUT k v\nGET k\n')).to.equal('OK\nv\n');
  });

  it('DoesNotTakeAClientForLateWhoseRequestIsNotReadBecauseOfItsReplies', async () => {
    const { address } = await fixture.start({ limits: limits({ incompleteRequestMs: 300 }) });
    const value = 'v'.repeat(20_000_000);
    await talk(address, `PUT big ${value}\n`);
    const slow = await Conversation.open(address);
    slow.socket.pause();
    // Behind a write, so that the begin of the last request is read before the reply is in the way.
    slow.send('PUT a 1\nGET big\nPUT b ');
    // Clients that are late indeed tell the time: they came later, and are let go of first.
    for (let time = 0; time < 2; time++) {
      const late = await Conversation.open(address);
      late.send('PUT c ');
      expect(await late.toTheEnd()).to.match(/^ERROR SYNTAX /);
    }
    slow.end('2\n');
    slow.socket.resume();
    expect((await slow.toTheEnd()) === `OK\n${value}\nOK\n`).to.equal(true);
  }).timeout(30_000);

  it('CountsWhatASlowClientTookInTheEndAsGone', async () => {
    const bufferBytesMax = 5000;
    const { address } = await fixture.start({ limits: limits({ bufferBytesMax }) });
    await talk(address, `PUT k ${'v'.repeat(4000)}\n`);
    const other = await Conversation.open(address);
    let told = 0;
    /** Whether the begin of a request is refused for all that waits. */
    const isBusy = async (): Promise<boolean> => {
      const client = told === 0 ? other : await Conversation.open(address);
      client.send('PING\nPUT ');
      await client.lines(1);
      client.send('\n');
      const [, answer = ''] = await client.lines(2);
      client.end();
      return answer.startsWith('ERROR BUSY');
    };
    const slow = await Conversation.open(address);
    slow.socket.pause();
    // Less each time than what the socket tells of: what the kernel does not take at once it takes in silence.
    do {
      slow.send('GET k\nGET k\n');
      told++;
    } while (!(await isBusy()));
    slow.socket.resume();
    await slow.until((received) => received.length === 2 * told * 4001);
    while (await isBusy());
    slow.end();
    other.end();
  }).timeout(30_000);

  it('LetsGoOfAClientThatEndedItsSideAndNeverReadsItsReply', async () => {
    const { address } = await fixture.start({
      limits: limits({ incompleteRequestMs: 300, connectionsMax: 1 }),
    });
    await talk(address, `PUT big ${'v'.repeat(20_000_000)}\n`);
    let client: Conversation | undefined;
    // The place of the client before may take a moment to be free.
    while (client === undefined) {
      const next = await Conversation.open(address);
      next.socket.pause();
      // Behind a write, so that the end of the requests is read before the reply is in the way.
      next.end('PUT a 1\nGET big\n');
      client = (await talk(address, 'PING\n')) === 'PONG\n' ? undefined : next;
    }
    // It holds the only place, until it is let go of.
    while ((await talk(address, 'PING\n')) !== 'PONG\n');
    client.socket.destroy();
  });
});
