import { expect } from 'chai';
import { SESSION_NUMBERS_MAX } from '../../src/engine.js';
import { Conversation, talk } from './conversation.js';
import { serverFixture } from './running-server.js';

describe('A session on the wire', () => {
  const fixture = serverFixture();
  let address: string;
  let conversation: Conversation;
  let lines: number;

  beforeEach(async () => {
    ({ address } = await fixture.start());
    conversation = await Conversation.open(address);
    lines = 0;
  });
  afterEach(() => conversation.socket.destroy());

  /** Sends lines, and answers as many as are told. */
  async function ask(sent: string[], count = sent.length): Promise<string[]> {
    conversation.send(sent.map((line) => `${line}\n`).join(''));
    lines += count;
    return (await conversation.lines(lines)).slice(lines - count);
  }

  async function opened(): Promise<string> {
    const [id = ''] = await ask(['SESSION']);
    return id;
  }

  it('IsOpenedWithAnIdBelowTwoToTheFiftyThird', async () => {
    const [first = '', second = ''] = await ask(['SESSION', 'session']);
    for (const id of [first, second]) expect(Number(id)).to.satisfy(Number.isSafeInteger).and.to.be.above(0);
    expect(first).not.to.equal(second);
    expect(await talk(address, 'STATUS\n')).to.include('\nsessions=2\n');
  });

  for (const [name, before, write, answer, after] of [
    ['Put', 'PUT a 1', 'PUT a 2', 'OK', 'other'],
    ['Delete', 'PUT a 1', 'DELETE a', 'OK', 'other'],
    ['DeleteOfNothing', 'DEL a', 'DELETE a', 'NULL', 'other'],
    ['Del', 'MSET a 1 b 2', 'DEL a b c', '2', 'other'],
    ['Mset', 'PUT a 1', 'MSET a 2 b 3', 'OK', 'other'],
  ] as const) {
    it(`AnswersARepeated${name}AsTheFirstTimeAndDoesNotApplyIt`, async () => {
      const id = await opened();
      await ask([before]);
      expect(await ask([`SESSION ${id} 1 1`, write])).to.deep.equal(['OK', answer]);
      await ask([`PUT a ${after}`]);
      expect(await ask([`SESSION ${id} 1 1`, write, 'GET a'])).to.deep.equal(['OK', answer, after]);
    });
  }

  it('TakesANumberThatWasNeverSeenForNewAlthoughLaterOnesCame', async () => {
    const id = await opened();
    await ask([`SESSION ${id} 3 1`, 'PUT a 3']);
    expect(await ask([`SESSION ${id} 1 1`, 'PUT a 1', 'GET a'])).to.deep.equal(['OK', 'OK', '1']);
  });

  it('RefusesANumberBelowTheLowestAndDoesNotApplyIt', async () => {
    const id = await opened();
    await ask([`SESSION ${id} 1 1`, 'PUT a 1', `SESSION ${id} 3 3`, 'PUT a 3']);
    const [ok, refused, value] = await ask([`SESSION ${id} 2 1`, 'PUT a 2', 'GET a']);
    expect(ok).to.equal('OK');
    expect(refused).to.match(/^ERROR SESSION_EXPIRED not applied: .*write 2 /);
    expect(value).to.equal('3');
  });

  it('RefusesAWriteOfASessionThatIsNotThere', async () => {
    const [ok, refused, value] = await ask(['SESSION 12345 1 1', 'PUT a 1', 'GET a']);
    expect(ok).to.equal('OK');
    expect(refused).to.match(/^ERROR SESSION_EXPIRED not applied: there is no session 12345/);
    expect(value).to.equal('NULL');
  });

  it('TakesNumbersUpToTheWindowAboveTheLowestAndNoneBehindIt', async () => {
    const id = await opened();
    const last = SESSION_NUMBERS_MAX;
    expect(await ask([`SESSION ${id} ${String(last)} 1`, 'PUT a 1'])).to.deep.equal(['OK', 'OK']);
    const [first = '', second = ''] = await ask([`SESSION ${id} ${String(last + 1)} 1`, 'PUT a 2']);
    expect(first).to.match(/^ERROR TOO_LARGE /);
    expect(second).to.equal(first);
    expect(await ask(['GET a'])).to.deep.equal(['1']);
  });

  for (const words of [
    '1',
    '1 1',
    '1 1 1 1',
    'x 1 1',
    '1 0 0',
    '1 1 2',
    '1 -1 1',
    '1 1.0 1',
    '9007199254740992 1 1',
    '0 1 1',
    '01 1 1',
    '"1" 1 "1',
  ]) {
    it(`ThatIsMalformedRefusesThePipelinedWriteBehindIt: SESSION ${words}`, async () => {
      const [first = '', second = '', ...rest] = await ask([
        `SESSION ${words}`,
        'PUT a 1',
        'GET a',
        'PUT a 2',
      ]);
      expect(first).to.match(/^ERROR SYNTAX /);
      expect(second).to.equal(first);
      expect(rest).to.deep.equal(['NULL', 'OK']);
    });
  }

  it('AppliesToTheNextWriteWhateverReadsStandBetween', async () => {
    const id = await opened();
    const between = ['GET a', 'PING', 'EXISTS a'];
    const all = [
      `SESSION ${id} 1 1`,
      ...between,
      'PUT a 1',
      'PUT a 2',
      `SESSION ${id} 1 1`,
      'PUT a 3',
      'GET a',
    ];
    expect(await ask(all)).to.deep.equal(['OK', 'NULL', 'PONG', '0', 'OK', 'OK', 'OK', 'OK', '2']);
  });

  it('NamesOneWriteOnlyAlsoWhenThatOneIsRefused', async () => {
    const id = await opened();
    const answers = await ask([
      `SESSION ${id} 1 1`,
      'PUT a',
      'PUT a 1',
      `SESSION ${id} 1 1`,
      'PUT a 2',
      'GET a',
    ]);
    expect(answers.map((answer) => answer.slice(0, 12))).to.deep.equal([
      'OK',
      'ERROR SYNTAX',
      'OK',
      'OK',
      'OK',
      '2',
    ]);
  });

  it('IsSaidInRespAsInLines', async () => {
    const command = (...words: string[]): string =>
      `*${String(words.length)}\r\n${words.map((word) => `$${String(word.length)}\r\n${word}\r\n`).join('')}`;
    const opening = await talk(address, command('SESSION'));
    expect(opening).to.match(/^:\d+\r\n$/);
    const id = opening.slice(1, -2);
    const twice = command('SESSION', id, '1', '1') + command('SET', 'a', '1');
    expect(await talk(address, twice + command('SET', 'a', '2') + twice + command('GET', 'a'))).to.equal(
      '+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n$1\r\n2\r\n',
    );
    const malformed = command('SESSION', id, 'x', '1') + command('SET', 'a', '3') + command('GET', 'a');
    expect(await talk(address, malformed)).to.match(/^-SYNTAX [^\r]*\r\n-SYNTAX [^\r]*\r\n\$1\r\n2\r\n$/);
  });

  it('IsNotOpenedByALineThatWasCutOff', async () => {
    expect(await talk(address, 'SESSION')).to.match(/^ERROR SYNTAX /);
    expect(await talk(address, 'STATUS\n')).to.include('\nsessions=0\n');
  });
});
