import { expect } from 'chai';
import { foreignFirstByte, foreignLine } from '../../src/protocol/foreign.js';
import type { Foreign } from '../../src/protocol/foreign.js';
import { byteByByte, bytes, closed, readChunks, refused, request } from './reading.js';
import type { Seen } from './reading.js';

function foreign(line: string, isFirst = true): Foreign | undefined {
  return foreignLine(bytes(line), 0, line.length, isFirst);
}

describe('the first words of another protocol', () => {
  const streams: readonly [name: string, stream: string][] = [
    ['a browser that gets a page', 'GET / HTTP/1.1\r\nHost: 127.0.0.1:7001\r\n\r\n'],
    ['an old browser', 'GET / HTTP/1.0\r\n\r\n'],
    ['a well-formed PUT', 'PUT /path HTTP/1.1\r\nHost: h\r\n\r\nPUT a b\r\n'],
    ['a PUT whose path is a quoted key', 'PUT "k" "v HTTP/1.1\r\n'],
    ['a DELETE', 'DELETE k HTTP/1.1\r\n'],
    ['a form that is posted', 'POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\nPUT a b\r\n'],
    ['POST of any version', 'POST /\nPUT a b\n'],
    ['a Host header', 'Host: h\nPUT a b\n'],
    ['a request without a line ending', 'PUT /path HTTP/1.1'],
    ['an SSH banner', 'SSH-2.0-OpenSSH_9.2\r\nPUT a b\n'],
    ['a TLS hello without any line ending', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a TLS hello that holds a line', '\x16\x03\x01\nPUT a b\n'],
  ];
  for (const [name, stream] of streams) {
    it(`are refused, and nothing behind them is read: ${name}`, () => {
      expect(readChunks([bytes(stream)])).to.deep.equal([closed('SYNTAX')]);
      expect(readChunks(byteByByte(bytes(stream)))).to.deep.equal([closed('SYNTAX')]);
    });
  }

  it('are refused on later lines where no command could look like them', () => {
    for (const line of ['POST / HTTP/1.1', 'POST /', 'Host: h']) {
      const stream = bytes(`PING\r\n${line}\r\nPUT a b\r\n`);
      expect(readChunks([stream]), line).to.deep.equal([request('PING'), closed('SYNTAX')]);
    }
  });

  const commands: readonly [name: string, stream: string, seen: Seen][] = [
    ['a value that ends in HTTP/1.1', 'PUT k a HTTP/1.1\n', request('PUT', 'k', 'a HTTP/1.1')],
    ['a key that is an SSH banner', 'GET SSH-2.0\n', request('GET', 'SSH-2.0')],
    ['a byte of a TLS hello', '\x16 a\n', request('\x16', 'a')],
    ['an empty line', '\n', refused('SYNTAX')],
  ];
  for (const [name, stream, expected] of commands) {
    it(`are those of the first line only: ${name} may follow`, () => {
      expect(readChunks([bytes(`PING\n${stream}`)])).to.deep.equal([request('PING'), expected]);
    });
  }

  it('are not sought on the second line because the first one was empty', () => {
    expect(readChunks([bytes('\nGET a HTTP/1.1\n')])).to.deep.equal([
      refused('SYNTAX'),
      request('GET', 'a', 'HTTP/1.1'),
    ]);
  });
});

describe('foreignLine', () => {
  it('knows HTTP by the end of the first line', () => {
    expect(foreign('PUT /path HTTP/1.1')).to.equal('HTTP');
    expect(foreign('PUT /path HTTP/1.0')).to.equal('HTTP');
    expect(foreign(' HTTP/1.1')).to.equal('HTTP');
    expect(foreign('PUT /path HTTP/1.1', false)).to.equal(undefined);
  });

  it('takes nothing for HTTP that only resembles its end', () => {
    for (const line of [
      'PUT k xHTTP/1.1',
      'PUT k HTTP/1.2',
      'PUT k HTTP/1.',
      'HTTP/1.1',
      'PUT k http/1.1',
      'PING',
      '',
    ]) {
      expect(foreign(line), line).to.equal(undefined);
    }
  });

  it('knows POST by a whole word', () => {
    for (const isFirst of [true, false]) {
      for (const line of ['POST', 'POST ', 'POST / HTTP/1.1', 'POST\tk'])
        expect(foreign(line, isFirst), line).to.equal('HTTP');
      for (const line of ['POSTER a', 'POS', 'GET POST'])
        expect(foreign(line, isFirst), line).to.equal(undefined);
    }
  });

  it('knows the Host header', () => {
    expect(foreign('Host: h', false)).to.equal('HTTP');
    expect(foreign('Host h', false)).to.equal(undefined);
    expect(foreign('GET Host:', false)).to.equal(undefined);
  });

  it('looks at the line only, not at the bytes around it', () => {
    const around = bytes('POST Host: PING HTTP/1.1');
    expect(foreignLine(around, 11, 15, true)).to.equal(undefined);
    expect(foreignLine(around, 16, 24, true)).to.equal(undefined);
  });
});

describe('foreignFirstByte', () => {
  it('knows a TLS hello, and takes every other byte for a line', () => {
    for (let byte = 0; byte < 256; byte++) {
      expect(foreignFirstByte(byte)).to.equal(byte === 0x16 ? 'TLS' : undefined);
    }
  });
});
