import { isUtf8 } from 'node:buffer';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  QUOTED_BYTES_PER_BYTE_MAX,
  isBare,
  readQuoted,
  showWord,
  writeQuoted,
} from '../../src/protocol/quoting.js';
import { bytes, grammarWith, readChunks, request } from './reading.js';
import { anyBytes } from './streams.js';

/** The quoted word for these bytes, as it would be sent. */
function quote(word: Buffer): Buffer {
  const target = Buffer.alloc(QUOTED_BYTES_PER_BYTE_MAX * word.length + 2);
  return target.subarray(0, writeQuoted(target, 0, word, 0, word.length));
}

function quoteText(latin1: string): string {
  return quote(bytes(latin1)).toString('latin1');
}

function isBareValue(text: string | Buffer): boolean {
  const word = Buffer.from(text);
  return isBare(word, 0, word.length, true);
}

/** The rule of the bare value once more, in the words of the contract rather than in bytes. */
function isBareByContract(word: Buffer): boolean {
  if (word.length === 0 || !isUtf8(word)) return false;
  const text = word.toString('utf8');
  // eslint-disable-next-line no-control-regex -- control characters are what the rule is about
  if (/[\x00-\x1f\x7f]/.test(text) || /^[ \t]|[ \t]$/.test(text) || text.startsWith('"')) return false;
  return !/^(OK|NULL|END|ERROR)([ \t]|$)/.test(text);
}

describe('a bare value', () => {
  const bare = [
    'a',
    'hello world',
    'a  b',
    'a"b',
    '\\n',
    'ä €😀',
    '\u0085',
    '*',
    '-5',
    '007',
    "'",
    'x HTTP/1.1',
  ];
  for (const text of bare) {
    it(`is ${JSON.stringify(text)}`, () => {
      expect(isBareValue(text)).to.equal(true);
    });
  }

  for (const text of ['', ' a', 'a ', ' ', '"', '"a"', 'a\tb', '\ta', 'a\n', '\r', 'a\x00', '\x1f', '\x7f']) {
    it(`is not ${JSON.stringify(text)}`, () => {
      expect(isBareValue(text)).to.equal(false);
    });
  }

  for (const word of ['OK', 'NULL', 'END', 'ERROR']) {
    it(`has not ${word} for its first word`, () => {
      expect(isBareValue(word)).to.equal(false);
      expect(isBareValue(`${word} more`)).to.equal(false);
      for (const other of [
        `${word}x`,
        `x${word}`,
        `x ${word}`,
        word.toLowerCase(),
        word.slice(0, -1),
        `${word}.`,
      ]) {
        expect(isBareValue(other), other).to.equal(true);
      }
    });
  }

  it('is valid UTF-8', () => {
    for (const broken of [
      '\x80',
      '\xff',
      '\xc3',
      'a\xc3(',
      '\xc0\xaf',
      '\xed\xa0\x80',
      '\xf5\x80\x80\x80',
      '\xe2\x82',
    ]) {
      expect(isBareValue(bytes(broken)), broken).to.equal(false);
    }
  });

  it('is judged by its own bytes, not by those around it', () => {
    const around = Buffer.from('" OK\n" END');
    expect(isBare(around, 2, 4, true)).to.equal(false);
    expect(isBare(around, 3, 4, true)).to.equal(true);
  });

  it('is exactly what the rule says, for any bytes', () => {
    fc.assert(
      fc.property(anyBytes, (word) => {
        expect(isBareValue(word)).to.equal(isBareByContract(word));
      }),
      { numRuns: 5000 },
    );
  });
});

describe('a bare key', () => {
  it('holds no blank either', () => {
    fc.assert(
      fc.property(anyBytes, (word) => {
        const expected = isBareByContract(word) && !word.includes(' ') && !word.includes('\t');
        expect(isBare(word, 0, word.length, false)).to.equal(expected);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('writeQuoted', () => {
  const written: readonly [name: string, word: string, quoted: string][] = [
    ['writes two quotes for nothing', '', '""'],
    ['leaves blanks', ' a b ', '" a b "'],
    ['escapes quotes and backslashes', 'a"b\\', '"a\\"b\\\\"'],
    ['has letters for line ends and tabs', '\n\r\t', '"\\n\\r\\t"'],
    ['writes other control characters in hexadecimal', '\x00\x1b\x1f\x7f', '"\\x00\\x1b\\x1f\\x7f"'],
    ['leaves valid UTF-8', '\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80', '"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"'],
    ['writes bytes that are not UTF-8 in hexadecimal', '\x80\xff', '"\\x80\\xff"'],
    ['leaves UTF-8 beside bytes that are not', '\xff\xc3\xa4\xc3', '"\\xff\xc3\xa4\\xc3"'],
    [
      'leaves UTF-8 of every length beside them',
      '\xff\xe2\x82\xac\xf0\x9f\x98\x80',
      '"\\xff\xe2\x82\xac\xf0\x9f\x98\x80"',
    ],
    ['escapes each byte of a sequence that is cut short', '\xe2\x82', '"\\xe2\\x82"'],
    ['escapes a cut sequence and goes on behind it', '\xf0\x9f\x98a', '"\\xf0\\x9f\\x98a"'],
    ['escapes overlong forms', '\xc0\xaf', '"\\xc0\\xaf"'],
    ['escapes halves of surrogate pairs', '\xed\xa0\x80', '"\\xed\\xa0\\x80"'],
    ['escapes what lies past the last code point', '\xf4\x90\x80\x80', '"\\xf4\\x90\\x80\\x80"'],
  ];
  for (const [name, word, quoted] of written) {
    it(name, () => {
      expect(quoteText(word)).to.equal(quoted);
    });
  }

  it('writes at an offset, from a part of the bytes, and tells where it ended', () => {
    const target = Buffer.alloc(20, '.');
    const end = writeQuoted(target, 3, Buffer.from('xa\nbx'), 1, 4);
    expect(end).to.equal(9);
    expect(target.toString()).to.equal('..."a\\nb"...........');
  });

  it('writes valid UTF-8 on one line, of bounded length, that is read back to the same bytes', () => {
    fc.assert(
      fc.property(anyBytes, (word) => {
        const quoted = quote(word);
        expect(isUtf8(quoted)).to.equal(true);
        expect(quoted.some((byte) => byte < 0x20 || byte === 0x7f)).to.equal(false);
        expect(quoted.length).to.be.at.most(QUOTED_BYTES_PER_BYTE_MAX * word.length + 2);
        expect(readQuoted(quoted, 0, quoted.length)).to.deep.equal({ bytes: word, next: quoted.length });
      }),
      { numRuns: 5000 },
    );
  });

  it('writes every byte so that it is read back', () => {
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    for (const word of [all, ...Array.from(all, (byte) => Buffer.from([byte]))]) {
      const quoted = quote(word);
      expect(readQuoted(quoted, 0, quoted.length)).to.deep.equal({ bytes: word, next: quoted.length });
    }
  });
});

describe('readQuoted', () => {
  const read = (latin1: string): unknown => readQuoted(bytes(latin1), 0, latin1.length);

  it('ends at the first quote that is not escaped', () => {
    expect(read('"a" "b"')).to.deep.equal({ bytes: bytes('a'), next: 3 });
    expect(read('"a\\"" "b"')).to.deep.equal({ bytes: bytes('a"'), next: 5 });
    expect(read('"\\\\" "b"')).to.deep.equal({ bytes: bytes('\\'), next: 4 });
  });

  it('tells an open quote', () => {
    for (const open of ['"', '"a', '"\\"', '"a\\', '"\\\\\\"', '"\\x41']) {
      expect(read(open), open).to.equal('open quote');
    }
  });

  it('tells an unknown escape', () => {
    for (const unknown of ['"\\q"', '"\\X41"', '"\\x"', '"\\x4"', '"\\x4"5"', '"\\xg0"', '"\\ "']) {
      expect(read(unknown), unknown).to.equal('unknown escape');
    }
  });

  it('reads only up to the end that it is given', () => {
    expect(readQuoted(bytes('"ab"'), 0, 3)).to.equal('open quote');
    expect(readQuoted(bytes('"\\n"'), 0, 3)).to.equal('open quote');
  });
});

describe('any key and any value', () => {
  it('come through a line of PUT when both are quoted', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (key, value) => {
        const line = Buffer.concat([bytes('PUT '), quote(key), bytes(' '), quote(value), bytes('\r\n')]);
        const expected = [request('PUT', key.toString('latin1'), value.toString('latin1'))];
        expect(readChunks([line], grammarWith())).to.deep.equal(expected);
      }),
      { numRuns: 3000 },
    );
  });

  it('come through a line of other words when both are quoted', () => {
    fc.assert(
      fc.property(fc.array(anyBytes, { maxLength: 6 }), (words) => {
        const line = Buffer.concat([
          bytes('MSET'),
          ...words.flatMap((word) => [bytes(' '), quote(word)]),
          bytes('\n'),
        ]);
        const expected = [request('MSET', ...words.map((word) => word.toString('latin1')))];
        expect(readChunks([line], grammarWith())).to.deep.equal(expected);
      }),
    );
  });
});

describe('showWord', () => {
  it('shows a word bare where that cannot be mistaken, and quoted otherwise', () => {
    expect(showWord(Buffer.from('a b'), true)).to.equal('a b');
    expect(showWord(Buffer.from('a b'), false)).to.equal('"a b"');
    expect(showWord(Buffer.from('OK'), true)).to.equal('"OK"');
    expect(showWord(Buffer.from('ä'), false)).to.equal('ä');
    expect(showWord(bytes('\xe4\n'), true)).to.equal('"\\xe4\\n"');
    expect(showWord(Buffer.alloc(0), true)).to.equal('""');
  });
});
