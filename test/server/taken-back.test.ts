import { expect } from 'chai';
import { DEFAULT_SERVER_LIMITS } from '../../src/server/limits.js';
import { Conversation, talk } from './conversation.js';
import { serverFixture } from './running-server.js';

const UNREAD_MAX = 1000;
/** Beside it only a short answer fits. */
const FILLING = 'f'.repeat(UNREAD_MAX - 120);

function array(...words: string[]): string {
  return `*${String(words.length)}\r\n${words.map((word) => `$${String(word.length)}\r\n${word}\r\n`).join('')}`;
}

const FILLED = `$${String(FILLING.length)}\r\n${FILLING}\r\n`;
const TAKEN_BACK = /^-TOO_LARGE [^\r\n]*\r\n/;

describe('A reply that is too much beside those that wait', () => {
  const fixture = serverFixture();

  async function start(): Promise<string> {
    const limits = { ...DEFAULT_SERVER_LIMITS, unreadReplyBytesMax: UNREAD_MAX };
    const { address } = await fixture.start({ limits });
    return address;
  }

  for (const words of [['STATUS'], ['COMMAND', 'LIST'], ['CONFIG', 'GET', '*']]) {
    it(`${words.join(' ')} is taken back as a whole in RESP, and what follows is answered`, async () => {
      const address = await start();
      const said = await talk(address, array('ECHO', FILLING) + array(...words) + array('ECHO', 'x'));
      expect(said.slice(0, FILLED.length)).to.equal(FILLED);
      expect(said.slice(FILLED.length)).to.match(TAKEN_BACK);
      expect(said.slice(FILLED.length).replace(TAKEN_BACK, '')).to.match(/^(-TOO_LARGE .*|\$1\r\nx)\r\n$/);
    });

    it(`${words.join(' ')} is taken back as a whole in a line, and what follows is answered`, async () => {
      const address = await start();
      const said = await talk(address, `ECHO ${FILLING}\n${words.join(' ')}\nEXISTS x\n`);
      const [filled, refused, ...rest] = said.split('\n');
      expect(filled).to.equal(FILLING);
      expect(refused).to.match(/^ERROR TOO_LARGE /);
      expect(rest).to.have.length(2);
    });
  }

  it('LeavesTheConnectionAsGoodAsNewOnceItsRepliesWereRead', async () => {
    const address = await start();
    const client = await Conversation.open(address);
    client.send(array('ECHO', FILLING) + array('STATUS'));
    await client.until((all) => all.length > FILLED.length && TAKEN_BACK.test(all.slice(FILLED.length)));
    const before = client.received.length;
    client.send(array('ECHO', 'x') + array('PUT', 'k', 'v') + array('GET', 'k'));
    const all = await client.until((received) => received.endsWith('v\r\n'));
    expect(all.slice(before)).to.equal('$1\r\nx\r\n+OK\r\n$1\r\nv\r\n');
    client.end();
  });

  it('TakesTheChangeOfVersionBackWithTheAnswerOfHello', async () => {
    const address = await start();
    const said = await talk(address, array('ECHO', FILLING) + array('HELLO', '3') + array('GET', 'nothing'));
    expect(said.slice(FILLED.length).replace(TAKEN_BACK, '')).to.equal('$-1\r\n');
  });

  it('TellsWhatAnOperatorAskedForAndGot', async () => {
    const address = await start();
    const said = await talk(address, `ECHO ${'f'.repeat(2 * UNREAD_MAX)}\nSNAPSHOT\n`);
    expect(said.split('\n')[1]).to.match(/^OK position=/);
  });

  it('IsRefusedAlsoWhenItIsMadeOfKeysThatAreNotThere', async () => {
    const address = await start();
    const keys = Array.from({ length: 400 }, (_, at) => `k${String(at)}`);
    expect(await talk(address, array('MGET', ...keys) + array('PING'))).to.match(
      /^-TOO_LARGE [^\r\n]*\r\n\+PONG\r\n$/,
    );
    expect(await talk(address, `MGET ${keys.join(' ')}\nPING\n`)).to.match(/^ERROR TOO_LARGE .*\nPONG\n$/);
  });
});
