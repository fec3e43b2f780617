import { expect } from 'chai';
import { testSeed, withSeed } from '../random.js';
import { Conversation, talk } from './conversation.js';
import { serverFixture } from './running-server.js';

interface Page {
  readonly cursor: string;
  readonly keys: readonly string[];
}

/** One answer of SCAN in the line framing. */
async function scan(client: Conversation, words: string): Promise<Page> {
  const before = client.received.length;
  client.send(`SCAN ${words}\n`);
  const answer = await client.until((all) => /(^|\n)(END \d+|ERROR .*)\n$/.test(all.slice(before)));
  const lines = answer.slice(before).split('\n').slice(0, -1);
  const end = lines.pop();
  const [cursor = '', ...keys] = lines;
  expect(end).to.equal(`END ${String(keys.length + 1)}`);
  return { cursor, keys };
}

/** A whole iteration; `between` is called after each of its answers. */
async function iterate(
  client: Conversation,
  options: string,
  between?: () => Promise<unknown>,
): Promise<string[][]> {
  const pages: string[][] = [];
  for (let cursor = '0'; ;) {
    const page = await scan(client, `${cursor} ${options}`);
    pages.push([...page.keys]);
    if (page.cursor === '0') return pages;
    cursor = page.cursor;
    await between?.();
  }
}

describe('SCAN', () => {
  const fixture = serverFixture();

  it('ListsEveryKeyThatStaysExactlyOnceWhileOthersComeAndGo', async () => {
    const { address } = await fixture.start();
    const seed = testSeed();
    await withSeed(seed, async (random) => {
      const staying = Array.from({ length: 2000 }, (_, at) => `stays${String(at)}`);
      const pairs = staying.map((key, at) => `${key} v other${String(at)} v`);
      await talk(address, `MSET ${pairs.join(' ')}\n`);
      const client = await Conversation.open(address);
      const change = (): Promise<string> => {
        const [come, go] = [random.below(2000), random.below(2000)].map(String);
        return talk(
          address,
          `PUT other${come ?? ''} v\nDEL other${go ?? ''}\nPUT stays${come ?? ''} changed\n`,
        );
      };
      for (const count of [7, 100, 100_000]) {
        const listed = (await iterate(client, `COUNT ${String(count)}`, change)).flat();
        expect(listed.filter((key) => key.startsWith('stays')).sort()).to.deep.equal([...staying].sort());
      }
      client.end();
    });
  });

  it('LooksAtAsManyKeysAsCountSaysAndListsThoseThatMatch', async () => {
    const { address } = await fixture.start();
    const pairs = Array.from(
      { length: 100 },
      (_, at) => `${at % 10 === 0 ? 'tenth' : 'key'}:${String(at)} v`,
    );
    await talk(address, `MSET ${pairs.join(' ')}\n`);
    const client = await Conversation.open(address);
    expect((await iterate(client, '')).map((keys) => keys.length)).to.deep.equal(
      Array.from({ length: 10 }, () => 10),
    );
    expect((await iterate(client, 'COUNT 30')).map((keys) => keys.length)).to.deep.equal([30, 30, 30, 10]);
    const tenths = await iterate(client, 'MATCH tenth:* count 25');
    expect(tenths.map((keys) => keys.length)).to.deep.equal([3, 2, 3, 2]);
    expect(await iterate(client, 'MATCH none* COUNT 50')).to.deep.equal([[], []]);
    expect(await scan(client, '1000000')).to.deep.equal({ cursor: '0', keys: [] });
    client.end();
  });

  it('OfAnEmptyStoreIsOneAnswerWithoutKeys', async () => {
    const { address } = await fixture.start();
    expect(await talk(address, 'SCAN 0\nPING\n')).to.equal('0\nEND 1\nPONG\n');
  });

  it('AnswersInRespWithTheCursorAndAListOfKeys', async () => {
    const { address } = await fixture.start();
    const array = (...words: string[]): string =>
      `*${String(words.length)}\r\n${words.map((word) => `$${String(word.length)}\r\n${word}\r\n`).join('')}`;
    const sent =
      array('SCAN', '0') + 'MSET a 1 b 2 c 3\n' + array('SCAN', '0', 'COUNT', '2') + array('scan', '2');
    const answers = '*2\r\n$1\r\n0\r\n*0\r\nOK\n*2\r\n$1\r\n2\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n';
    expect(await talk(address, sent)).to.equal(`${answers}*2\r\n$1\r\n0\r\n*1\r\n$1\r\nc\r\n`);
    expect(await talk(address, array('SCAN', '-1'))).to.match(/^-SYNTAX invalid cursor/);
  });

  it('IsRefusedWithWordsThatItDoesNotKnowAndWithAPatternPastItsBound', async () => {
    const { address } = await fixture.start();
    const received = await talk(
      address,
      `SCAN\nSCAN x\nSCAN 0 TYPE string\nSCAN 0 MATCH ${'?'.repeat(256)}\nSCAN 0 MATCH ${'?'.repeat(257)}\n`,
    );
    expect(received.split('\n').map((line) => line.slice(0, 40))).to.deep.equal([
      'ERROR SYNTAX the command is written SCAN cursor [MATCH glob] [COUNT n]'.slice(0, 40),
      'ERROR SYNTAX invalid cursor: SCAN begins',
      'ERROR SYNTAX the options of SCAN are MAT',
      '0',
      'END 1',
      'ERROR TOO_LARGE the pattern has 257 byte',
      '',
    ]);
  });
});
