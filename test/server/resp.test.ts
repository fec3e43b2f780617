import { expect } from 'chai';
import { talk } from './conversation.js';
import { serverFixture } from './running-server.js';

/** A request as clients of Redis send it. */
function array(...words: string[]): string {
  const bulks = words.map((word) => `$${String(Buffer.byteLength(word, 'latin1'))}\r\n${word}\r\n`);
  return `*${String(words.length)}\r\n${bulks.join('')}`;
}

function bulk(text: string): string {
  return `$${String(Buffer.byteLength(text, 'latin1'))}\r\n${text}\r\n`;
}

describe('A conversation in RESP', () => {
  const fixture = serverFixture();

  it('AnswersEachCommandAsClientsOfRedisExpect', async () => {
    const { address } = await fixture.start();
    const exchange: [string[], string][] = [
      [['PING'], '+PONG\r\n'],
      [['PING', 'a\nb'], bulk('a\nb')],
      [['ECHO', ''], bulk('')],
      [['SET', 'k', 'a\r\n\0\xff'], '+OK\r\n'],
      [['get', 'k'], bulk('a\r\n\0\xff')],
      [['PUT', 'two', ' words '], '+OK\r\n'],
      [['GET', 'nothing'], '$-1\r\n'],
      [['EXISTS', 'k', 'k', 'nothing'], ':2\r\n'],
      [['MGET', 'two', 'nothing'], `*2\r\n${bulk(' words ')}$-1\r\n`],
      [['MSET', 'x', '1', 'y', '2'], '+OK\r\n'],
      [['DEL', 'x', 'y', 'z'], ':2\r\n'],
      [['DELETE', 'two'], '+OK\r\n'],
      [['DELETE', 'two'], '$-1\r\n'],
      [['KEYS', '*'], `*1\r\n${bulk('k')}`],
      [['DBSIZE'], ':1\r\n'],
      [['SELECT', '0'], '+OK\r\n'],
      [['SELECT', '1'], '-ERR DB index is out of range\r\n'],
      [
        ['SET', 'k', 'v', 'EX', '10'],
        '-SYNTAX the command is written SET key value: there are no options\r\n',
      ],
      [['GET'], "-ERR wrong number of arguments for 'get' command\r\n"],
      [['NOSUCH', 'a', 'b'], "-ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' \r\n"],
      [['SET', '', 'v'], '-SYNTAX the key is empty: a key has at least one byte\r\n'],
      [['CLIENT', 'SETNAME', 'me'], '+OK\r\n'],
      [['CLIENT', 'GETNAME'], bulk('me')],
      [['CLIENT', 'TRACKING', 'ON'], "-ERR unknown subcommand 'TRACKING'. Try CLIENT HELP.\r\n"],
      [['CONFIG', 'GET', 'save'], `*2\r\n${bulk('save')}${bulk('')}`],
      [['QUIT'], '+OK\r\n'],
    ];
    const sent = exchange.map(([words]) => array(...words)).join('');
    expect(await talk(address, Buffer.from(sent, 'latin1'))).to.equal(
      exchange.map(([, said]) => said).join(''),
    );
  });

  it('TakesPatternsOfConfigUpToTheBoundOfPatterns', async () => {
    const { address } = await fixture.start();
    const sent = [255, 256].map((length) => array('CONFIG', 'GET', '?', 'x'.repeat(length))).join('');
    expect(await talk(address, sent)).to.match(
      /^\*0\r\n-TOO_LARGE the patterns have 257 bytes, [^\r\n]*\r\n$/,
    );
    expect(await talk(address, array('CONFIG', 'GET', '[^a]'.repeat(500_000)))).to.match(/^-TOO_LARGE /);
  });

  it('ShowsANameThatLooksLikeAReplyAsAValueInALine', async () => {
    const { address } = await fixture.start();
    expect(await talk(address, 'CLIENT SETNAME NULL\nCLIENT GETNAME\n')).to.equal('OK\n"NULL"\n');
  });

  it('AnswersEachRequestInItsOwnFraming', async () => {
    const { address } = await fixture.start();
    const sent = `PUT a 1\n${array('GET', 'a')}GET a\n${array('DEL', 'a')}GET a\n${array('GET', 'a')}`;
    expect(await talk(address, sent)).to.equal('OK\n$1\r\n1\r\n1\n:1\r\nNULL\n$-1\r\n');
  });

  it('AnswersInTheOrderOfTheRequestsAlsoBehindWritesThatAreUnderWay', async () => {
    const { address } = await fixture.start();
    const requests = `${array('SET', 'a', 'v'.repeat(300_000))}${array('EXISTS', 'a')}${array('NOSUCH')}`;
    const more = `PUT a 2\n${array('GET', 'a')}${array('KEYS')}${array('SET', 'a', '3')}GET a\n`;
    const said = "+OK\r\n:1\r\n-ERR unknown command 'NOSUCH', with args beginning with: \r\n";
    const expected = `${said}OK\n$1\r\n2\r\n*1\r\n$1\r\na\r\n+OK\r\n3\n`;
    expect(await talk(address, `${requests}${more}`.repeat(20))).to.equal(expected.repeat(20));
  });

  it('SpeaksRESP3FromTheAnswerToHELLO3On', async () => {
    const { address } = await fixture.start();
    const sent = array('GET', 'k') + array('HELLO', '3', 'SETNAME', 'me') + array('GET', 'k');
    const received = await talk(
      address,
      `${sent}${array('CLIENT', 'GETNAME')}${array('HELLO', '2')}${array('GET', 'k')}`,
    );
    expect(received).to.match(/^\$-1\r\n%7\r\n\$6\r\nserver\r\n\$10\r\nunderstudy\r\n/);
    expect(received).to.include('$5\r\nproto\r\n:3\r\n');
    expect(received).to.match(/\$7\r\nmodules\r\n\*0\r\n_\r\n\$2\r\nme\r\n\*14\r\n.*\$-1\r\n$/s);
  });

  it('RefusesAHELLOThatItCannotDoAndChangesNothing', async () => {
    const { address } = await fixture.start();
    const sent = [
      ['HELLO', '4'],
      ['HELLO', 'x'],
      ['HELLO', '3', 'AUTH', 'a', 'b'],
      ['HELLO', '3', 'NO'],
      ['GET', 'k'],
    ];
    const said = (await talk(address, sent.map((words) => array(...words)).join(''))).split('\r\n');
    expect(said[0]).to.equal('-NOPROTO unsupported protocol version');
    expect(said[1]).to.equal('-ERR Protocol version is not an integer or out of range');
    expect(said[2]).to.match(/^-WRONGPASS /);
    expect(said[3]).to.equal("-ERR Syntax error in HELLO option 'NO'");
    expect(said[4]).to.equal('$-1');
  });

  it('ClosesBehindAnArrayThatIsMalformedAndExecutesNothingBehindIt', async () => {
    const { address } = await fixture.start();
    const received = await talk(address, `${array('SET', 'a', '1')}*1\r\n+PING\r\n${array('SET', 'a', '2')}`);
    expect(received).to.match(/^\+OK\r\n-SYNTAX Protocol error: [^\r\n]+\r\n$/);
    expect(await talk(address, array('GET', 'a'))).to.equal('$1\r\n1\r\n');
  });

  it('ExecutesNoArrayThatIsCutOff', async () => {
    const { address } = await fixture.start();
    expect(await talk(address, array('SET', 'a', '12').slice(0, -3))).to.equal('');
    expect(await talk(address, array('GET', 'a').slice(0, -1))).to.equal('');
    expect(await talk(address, array('EXISTS', 'a'))).to.equal(':0\r\n');
  });

  it('TellsABackupsRefusalAsREADONLYWithThePrimarysAddress', async () => {
    const { address } = await fixture.start({ role: 'backup', primary: { host: '127.0.0.1', port: 7999 } });
    expect(await talk(address, array('SET', 'a', '1'))).to.match(
      /^-READONLY (unknown|127\.0\.0\.1:7999) [^\r\n]+\r\n$/,
    );
  });

  it('TellsHowTheNodeIsUnderTheNamesOfRedis', async () => {
    const { address } = await fixture.start();
    const received = await talk(address, array('SET', 'a', '1') + array('INFO'));
    for (const line of [
      'loading:0',
      'role:master',
      'connected_clients:1',
      'db0:keys=1,expires=0,avg_ttl=0',
    ]) {
      expect(received).to.include(`\r\n${line}\r\n`);
    }
    expect(await talk(address, array('INFO', 'keyspace'))).to.equal(
      bulk('# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n'),
    );
  });

  it('DescribesItsCommands', async () => {
    const { address } = await fixture.start();
    const received = await talk(address, array('COMMAND', 'INFO', 'get', 'nosuch', 'mset'));
    const get = `*10\r\n${bulk('get')}:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n${'*0\r\n'.repeat(4)}`;
    const mset = `*10\r\n${bulk('mset')}:-3\r\n*1\r\n+write\r\n:1\r\n:-1\r\n:2\r\n${'*0\r\n'.repeat(4)}`;
    expect(received).to.equal(`*3\r\n${get}$-1\r\n${mset}`);
  });
});
