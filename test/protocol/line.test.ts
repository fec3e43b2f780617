import { expect } from 'chai';
import fc from 'fast-check';
import { isViolation } from '../../src/protocol/request.js';
import { LineParser, parseLine } from '../../src/protocol/line.js';
import { bytes, cutOff, grammarWith, refused, request, seen } from './reading.js';
import type { Seen } from './reading.js';
import { anyStream } from './streams.js';

/** What one line, given without its line ending, is read as. */
function parse(line: string, terminated = true): Seen {
  const whole = bytes(line);
  return seen(parseLine(whole, 0, whole.length, terminated, grammarWith()));
}

function message(line: string): string {
  const whole = bytes(line);
  const outcome = parseLine(whole, 0, whole.length, true, grammarWith());
  return isViolation(outcome) ? outcome.refusal.message : '';
}

describe('parseLine', () => {
  it('reads only the bytes between its two offsets', () => {
    const chunk = bytes('"PING\nPUT k v\n"');
    expect(seen(parseLine(chunk, 6, 13, true, grammarWith()))).to.deep.equal(request('PUT', 'k', 'v'));
  });

  it('does not look for a closing quote behind the line', () => {
    const chunk = bytes('GET "k\n"');
    expect(seen(parseLine(chunk, 0, 6, true, grammarWith()))).to.deep.equal(refused('SYNTAX'));
  });

  it('does not take hexadecimal digits from behind the line', () => {
    const chunk = bytes('GET "\\x4"1"');
    expect(seen(parseLine(chunk, 0, 9, true, grammarWith()))).to.deep.equal(refused('SYNTAX'));
  });

  it('says of a request whether its line was complete', () => {
    expect(parse('GET k', false)).to.deep.equal(cutOff('GET', 'k'));
    expect(parse('PUT k v', false)).to.deep.equal(cutOff('PUT', 'k', 'v'));
    expect(parse('PUT k "v"', false)).to.deep.equal(cutOff('PUT', 'k', 'v'));
  });

  it('takes every byte that is no blank and begins no quote for part of a bare word', () => {
    for (let byte = 0; byte < 256; byte++) {
      const character = String.fromCharCode(byte);
      if (' \t'.includes(character)) continue;
      expect(parse(`GET a${character}b`)).to.deep.equal(request('GET', `a${character}b`));
      if (character !== '"') expect(parse(`GET ${character}`)).to.deep.equal(request('GET', character));
    }
  });

  it('keeps every byte of a value that does not start with a quote', () => {
    for (let byte = 0; byte < 256; byte++) {
      const character = String.fromCharCode(byte);
      expect(parse(`PUT k a${character}`)).to.deep.equal(request('PUT', 'k', `a${character}`));
      if (character !== '"')
        expect(parse(`PUT k ${character}`)).to.deep.equal(request('PUT', 'k', character));
    }
  });

  it('knows \\xHH for every byte in both cases', () => {
    for (let byte = 0; byte < 256; byte++) {
      const digits = byte.toString(16).padStart(2, '0');
      const expected = request('GET', String.fromCharCode(byte));
      expect(parse(`GET "\\x${digits}"`)).to.deep.equal(expected);
      expect(parse(`GET "\\x${digits.toUpperCase()}"`)).to.deep.equal(expected);
    }
  });

  it('knows no other escape than the six', () => {
    for (let byte = 0; byte < 256; byte++) {
      const character = String.fromCharCode(byte);
      if ('"\\nrtx'.includes(character)) continue;
      expect(parse(`GET "\\${character}"`), `\\${character}`).to.deep.equal(refused('SYNTAX'));
    }
  });

  it('knows a hexadecimal escape by two hexadecimal digits only', () => {
    for (let byte = 0; byte < 256; byte++) {
      const character = String.fromCharCode(byte);
      if (/[0-9a-fA-F]/.test(character)) continue;
      expect(parse(`GET "\\x${character}0"`), `\\x${character}0`).to.deep.equal(refused('SYNTAX'));
      expect(parse(`GET "\\x0${character}"`), `\\x0${character}`).to.deep.equal(refused('SYNTAX'));
    }
  });

  it('reads any line the same, however few bytes it looks at before others have a turn', () => {
    const anyLine = anyStream.map((stream) => stream.filter((byte) => byte !== 0x0a));
    fc.assert(
      fc.property(anyLine, fc.integer({ min: 1, max: 8 }), (bare, workBytes) => {
        const line = Buffer.from(bare);
        const grammar = grammarWith({ wordsMax: 4 });
        const parser = new LineParser(line, 0, line.length, true, grammar);
        let outcome = parser.read(workBytes);
        while (outcome === undefined) outcome = parser.read(workBytes);
        expect(seen(outcome)).to.deep.equal(seen(parseLine(line, 0, line.length, true, grammar)));
      }),
      { numRuns: 2000 },
    );
  });

  it('looks at about as many bytes as it is told before others have a turn', () => {
    const readings: readonly [line: string, turns: number][] = [
      [`GET ${'k'.repeat(4000)}`, 40],
      [`GET ${' '.repeat(4000)}`, 40],
      [`PUT k "${'v'.repeat(4000)}"`, 40],
      [`PUT k "${'v'.repeat(4000)}`, 40],
      [`PUT k "v"${' '.repeat(4000)}`, 40],
      // A word counts for more than its bytes: two of them are enough.
      [`MGET${' k'.repeat(2000)}`, 1000],
      // Once for their end, and once to replace them.
      [`PUT k "${'\\n'.repeat(2000)}"`, 80],
    ];
    for (const [line, turns] of readings) {
      const parser = new LineParser(bytes(line), 0, line.length, true, grammarWith());
      let count = 1;
      while (parser.read(100) === undefined) count++;
      expect(count, line.slice(0, 10)).to.be.within(turns, turns + 4);
    }
  });

  it('tells where a refused line goes wrong', () => {
    const at = (line: string): unknown => {
      const around = bytes(`>>${line}<<`);
      const outcome = parseLine(around, 2, around.length - 2, true, grammarWith({ wordsMax: 3 }));
      return isViolation(outcome) ? outcome.at - 2 : 'read';
    };
    expect(at('GET "k')).to.equal(4);
    expect(at('GET "k\\n\\q\\z"')).to.equal(8);
    expect(at('GET "k"k')).to.equal(7);
    expect(at('PUT k "a\\x4"')).to.equal(8);
    expect(at('PUT k "a')).to.equal(6);
    expect(at('PUT k "a" b')).to.equal(10);
    expect(at('PUT k')).to.equal(5);
    expect(at('  ')).to.equal(2);
    expect(at('MGET a b c')).to.equal(9);
  });

  it('gives words as ranges of the line, unless they hold escapes', () => {
    const line = bytes('MSET "a b" "\\n" c');
    const outcome = parseLine(line, 0, line.length, true, grammarWith());
    line.fill(0x7a, 4);
    expect(seen(outcome)).to.deep.equal(request('MSET', 'zzz', '\n', 'z'));
  });

  it('answers every refusal with one line that says what is wrong', () => {
    const refusals: readonly [line: string, says: string][] = [
      ['', 'empty'],
      ['GET "k', 'open quote in word 2'],
      ['"\\q"', 'unknown escape in word 1'],
      ['GET "k"k', 'word 2'],
      ['PUT k', 'missing'],
      ['PUT k "v', 'open quote'],
      ['PUT k "\\q"', 'unknown escape'],
      ['PUT k "v" w', 'closing quote'],
    ];
    for (const [line, says] of refusals) {
      expect(parse(line), line).to.deep.equal(refused('SYNTAX'));
      expect(message(line), line)
        .to.include(says)
        .and.not.match(/[\r\n]/);
    }
  });

  it('ViolationsSayWhereTheySit', () => {
    const place = (line: string): number | undefined => {
      const whole = bytes(line);
      const outcome = parseLine(whole, 0, whole.length, true, grammarWith({ wordsMax: 3 }));
      return 'refusal' in outcome ? outcome.at : undefined;
    };
    expect(place('GET "open')).to.equal(4);
    expect(place('GET  "a\\n\\q"')).to.equal(9);
    expect(place('GET "\\x41\\x4z"')).to.equal(9);
    expect(place('GET "\\\\\\q"')).to.equal(7);
    expect(place('GET "a"b')).to.equal(7);
    expect(place('PUT k "open')).to.equal(6);
    expect(place('PUT k "\\q"')).to.equal(7);
    expect(place('PUT k "v" w')).to.equal(10);
    expect(place('PUT k')).to.equal(5);
    expect(place('PUT k ')).to.equal(6);
    expect(place('  ')).to.equal(2);
    expect(place('DEL a b c')).to.equal(8);
  });
});
