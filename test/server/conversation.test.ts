import { expect } from 'chai';
import { DEFAULT_SERVER_LIMITS } from '../../src/server/limits.js';
import { testSeed, withSeed } from '../random.js';
import { Conversation, talk } from './conversation.js';
import { serverFixture } from './running-server.js';

/** What is sent, and what comes back. Each case on a server of its own. */
const CASES: Record<string, [string, string]> = {
  'A value that was put is what GET prints': ['PUT k v\nGET k\n', 'OK\nv\n'],
  'A key that is not there is NULL': ['GET nothing\n', 'NULL\n'],
  'The value is the rest of the line, blanks and all': ['PUT k  a  b \nGET k\n', 'OK\n" a  b "\n'],
  'An empty value is quoted': ['PUT k ""\nGET k\n', 'OK\n""\n'],
  'A value with a line feed comes back escaped': ['PUT k "a\\nb"\nGET k\n', 'OK\n"a\\nb"\n'],
  'Bytes that are no UTF-8 show as escapes': ['PUT k \xff\xfe!\nGET k\n', 'OK\n"\\xff\\xfe!"\n'],
  'UTF-8 shows as it is': ['PUT k gr\xc3\xbc\xc3\x9fe\nGET k\n', 'OK\ngr\xc3\xbc\xc3\x9fe\n'],
  'A value that looks like a reply is quoted': [
    'PUT k NULL\nGET k\nPUT k OKAY\nGET k\n',
    'OK\n"NULL"\nOK\nOKAY\n',
  ],
  'Commands are read in any capitals': ['put k v\ngEt k\n', 'OK\nv\n'],
  'A carriage return before the line feed is dropped': ['PUT k v\r\nGET k\r\n', 'OK\nv\n'],
  'DELETE tells whether there was something': [
    'PUT k v\nDELETE k\nDELETE k\nGET k\n',
    'OK\nOK\nNULL\nNULL\n',
  ],
  'DEL counts what there was': ['MSET a 1 b 2\nDEL a b c a\nDBSIZE\n', 'OK\n2\n0\n'],
  'MGET lists values and NULL': ['MSET a 1 b NULL\nMGET a x b\n', 'OK\n1\nNULL\n"NULL"\nEND 3\n'],
  'MSET sets a key named twice to its last value': ['MSET a 1 a 2\nGET a\n', 'OK\n2\n'],
  'EXISTS counts, twice what is named twice': ['PUT a 1\nEXISTS a x a\n', 'OK\n2\n'],
  'KEYS lists all keys or those that match': [
    'PUT ab 1\nKEYS\nPUT cd 2\nKEYS a*\nKEYS z*\n',
    'OK\nab\nEND 1\nOK\nab\nEND 1\nEND 0\n',
  ],
  'KEYS quotes a key that holds a blank': ['PUT "a b" 1\nKEYS\n', 'OK\n"a b"\nEND 1\n'],
  'DBSIZE counts': ['DBSIZE\nPUT a 1\nDBSIZE\n', '0\nOK\n1\n'],
  'PING answers': ['PING\n', 'PONG\n'],
  'HEARTBEAT tells role, term and places': [
    'PUT a 1\nHEARTBEAT\n',
    'OK\nOK role=primary term=1 index=2 commit=2\n',
  ],
  'SNAPSHOT answers its position': ['PUT a 1\nSNAPSHOT\n', 'OK\nOK position=1:2\n'],
  'QUIT answers and closes': ['PUT a 1\nQUIT\nPUT a 2\n', 'OK\nOK\n'],
  'Hostile keys are ordinary keys': [
    'PUT __proto__ 1\nPUT constructor 2\nPUT 007 3\nGET __proto__\nGET constructor\nGET 7\nGET 007\n',
    'OK\nOK\nOK\n1\n2\nNULL\n3\n',
  ],
  'An unterminated last line is executed when it only reads': ['PUT k v\nGET k', 'OK\nv\n'],
  'An unterminated write is not done': [
    'PUT k v\nPUT k trunca',
    'OK\nERROR SYNTAX PUT was cut off before the end of its line, so it was not done: end the line with a line feed\n',
  ],
  'An empty line is a syntax error and the conversation goes on': [
    '\nPING\n',
    'ERROR SYNTAX the line is empty: send a command, for example PING\nPONG\n',
  ],
  'A wrong number of words shows how the command is written': [
    'GET\nGET a b\nMSET a\nPUT k\nPUT k \nDBSIZE x\n',
    'ERROR SYNTAX the command is written GET key\n'.repeat(2) +
      'ERROR SYNTAX the command is written MSET key value [key value …]\n'.replace('…', '\xe2\x80\xa6') +
      'ERROR SYNTAX the value is missing: PUT key value, or PUT key "" for an empty one\n'.repeat(2) +
      'ERROR SYNTAX the command is written DBSIZE\n',
  ],
  'An empty key is refused': ['PUT "" v\n', 'ERROR SYNTAX the key is empty: a key has at least one byte\n'],
};

/** Position and identities differ from run to run; everything else must not. */
function isClosedByError(received: string): boolean {
  return /^ERROR SYNTAX [^\n]*\n$/.test(received);
}

describe('A conversation with the server', () => {
  const fixture = serverFixture();

  for (const [name, [sent, expected]] of Object.entries(CASES)) {
    it(`${name}, in one piece`, async () => {
      const { address } = await fixture.start();
      expect(await talk(address, Buffer.from(sent, 'latin1'))).to.equal(expected);
    });

    it(`${name}, byte by byte`, async () => {
      const { address } = await fixture.start();
      const conversation = await Conversation.open(address);
      conversation.socket.setNoDelay(true);
      for (const byte of sent) {
        await new Promise((resolve) => conversation.socket.write(Buffer.from(byte, 'latin1'), resolve));
      }
      conversation.end();
      expect(await conversation.toTheEnd()).to.equal(expected);
    });
  }

  it('Pipelined writes and reads see one another in the order sent', async () => {
    const { address } = await fixture.start();
    let sent = '';
    let expected = '';
    for (let round = 0; round < 500; round++) {
      sent += `PUT a ${String(round)}\nGET a\nDELETE a\nGET a\nEXISTS a\nMSET a x b y\nMGET a b\n`;
      expected += `OK\n${String(round)}\nOK\nNULL\n0\nOK\nx\ny\nEND 2\n`;
    }
    expect(await talk(address, sent)).to.equal(expected);
  });

  it('A request that takes its time holds back those behind it, and sees what came before', async () => {
    const { address } = await fixture.start();
    const sent = 'PUT a 1\nKEYS\nPUT b 2\nKEYS b\nSNAPSHOT\nGET b\nDEL a b\nKEYS\nPING\n';
    const received = await talk(address, sent);
    expect(received.replace(/position=\S+/, 'position=')).to.equal(
      'OK\na\nEND 1\nOK\nb\nEND 1\nOK position=\n2\n2\nEND 0\nPONG\n',
    );
  });

  it('A quick request in front of it does not let those behind it pass', async () => {
    const { address } = await fixture.start();
    // The large value is a batch of its own, so it is still under way when the first GET is answered.
    const large = 'v'.repeat(300_000);
    const sent = `PUT a 1\nGET a\nPUT b ${large}\nKEYS c\nPUT c 1\nKEYS c\nDEL a b c\n`;
    const expected = 'OK\n1\nOK\nEND 0\nOK\nc\nEND 1\n3\n';
    expect(await talk(address, sent.repeat(20))).to.equal(expected.repeat(20));
  });

  for (const hello of [
    'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    'PUT /path HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\n',
    'POST / HTTP/1.0\r\n\r\n',
    'Host: 127.0.0.1\r\n',
    '\x16\x03\x01\x02\x00\x01',
    'SSH-2.0-OpenSSH_9.2\r\n',
  ]) {
    it(`Another protocol (${JSON.stringify(hello.slice(0, 12))}) gets an error and a close, and writes nothing`, async () => {
      const { address } = await fixture.start();
      const received = await talk(address, hello + 'PUT stored by-mistake\n');
      expect(isClosedByError(received), received).to.equal(true);
      expect(await talk(address, 'DBSIZE\n')).to.equal('0\n');
    });
  }

  it('A key and a value at their bounds are taken, and one byte more is not', async () => {
    const { address } = await fixture.start();
    const { keyBytesMax, valueBytesMax } = DEFAULT_SERVER_LIMITS.request;
    const key = 'k'.repeat(keyBytesMax);
    const received = await talk(address, `PUT ${key} v\nPUT ${key}k v\nGET ${key}\nDBSIZE\n`);
    expect(received).to.equal(`OK\nERROR TOO_LARGE the key has 65537 bytes, and 65536 is the most\nv\n1\n`);
    const value = Buffer.alloc(valueBytesMax, 'v');
    const put = Buffer.concat([Buffer.from('PUT big '), value, Buffer.from('\nGET big\n')]);
    const answer = await talk(address, put);
    expect(answer.length).to.equal(3 + valueBytesMax + 1);
    const more = Buffer.concat([Buffer.from('PUT more '), value, Buffer.from('v\nEXISTS more\n')]);
    expect(await talk(address, more)).to.match(/^ERROR TOO_LARGE the value has 67108865 bytes[^\n]*\n0\n$/);
  });

  it('Random requests at random splits give the same replies', async () => {
    const seed = testSeed();
    await withSeed(seed, async (random) => {
      const { address } = await fixture.start();
      const requests = Array.from({ length: 400 }, () => {
        const key = `k${String(random.below(8))}`;
        return random.pick([
          `PUT ${key} ${String(random.below(100))}`,
          `GET ${key}`,
          `DELETE ${key}`,
          `MGET ${key} k1`,
          'KEYS k1',
          'DBSIZE',
        ]);
      });
      const bytes = Buffer.from(`${requests.join('\n')}\n`);
      const first = await talk(address, Buffer.concat([Buffer.from('DEL k0 k1 k2 k3 k4 k5 k6 k7\n'), bytes]));
      const conversation = await Conversation.open(address);
      conversation.socket.setNoDelay(true);
      conversation.send('DEL k0 k1 k2 k3 k4 k5 k6 k7\n');
      for (let at = 0; at < bytes.length;) {
        const next = at + 1 + random.below(30);
        await new Promise((resolve) => conversation.socket.write(bytes.subarray(at, next), resolve));
        at = next;
      }
      conversation.end();
      const second = await conversation.toTheEnd();
      expect(second.slice(second.indexOf('\n'))).to.equal(first.slice(first.indexOf('\n')));
    });
  });
});
