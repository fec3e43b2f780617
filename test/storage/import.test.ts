import { expect } from 'chai';
import { StorageFault } from '../../src/storage/fault.js';
import {
  DB_PATH,
  NODE_PATH,
  changed,
  expectRefusal,
  expectStart,
  fill,
  record,
  segmentsOf,
  startOn,
} from './images.js';
import type { Image } from './memory-files.js';
import { range } from './test-node.js';

function bare(content: string | Buffer): Image {
  return new Map([[DB_PATH, Buffer.from(content)]]);
}

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}

describe('A bare JSON file', () => {
  const hostile =
    '{"other":1,"data":{"__proto__":"p","constructor":"c","7":"seven","-1":"","toString":"t","\\u00e4\\n\\"":"\\u20ac\\ud83d\\ude00","hasOwnProperty":"","\\u0000":"\\u0001","\\ufeff":"bom","2":"x"}}';

  it('BecomesTheFirstContentOfANode', async () => {
    const started = await expectStart(bare(hostile));
    const expected = new Map([
      ['__proto__', 'p'],
      ['constructor', 'c'],
      ['7', 'seven'],
      ['-1', ''],
      ['toString', 't'],
      ['ä\n"', '€😀'],
      ['hasOwnProperty', ''],
      ['\0', '\u0001'],
      ['\ufeff', 'bom'],
      ['2', 'x'],
    ]);
    expect(started.content).to.deep.equal(
      new Map([...expected].map(([key, value]) => [latin1(key), latin1(value)])),
    );
    expect(started.events).to.deep.equal([{ kind: 'imported', entries: expected.size }]);
    expect(started.image.get(`${DB_PATH}.d/imported.json`)!.toString()).to.equal(hostile);
    expect((await expectStart(started.image)).content).to.deep.equal(started.content);
    const written = JSON.parse(started.image.get(DB_PATH)!.toString()) as { data: object };
    expect(Object.entries(written.data)).to.have.length(expected.size);
  });

  it('MayHoldNothing', async () => {
    const started = await expectStart(bare('{"data":{}}'));
    expect(started.content).to.deep.equal(new Map());
    expect((await expectStart(started.image)).content).to.deep.equal(new Map());
  });

  const refused: [string, string | Buffer][] = [
    ['an empty file', ''],
    ['blanks', ' \n'],
    ['no JSON', 'mykey=myvalue'],
    ['JSON cut short', '{"data":{"a":"b"}'],
    ['no data', '{}'],
    ['a list', '[{"data":{}}]'],
    ['data that is a list', '{"data":["a"]}'],
    ['data that is null', '{"data":null}'],
    ['data that is a text', '{"data":"a"}'],
    ['data of a prototype', '{"__proto__":{"data":{"a":"b"}}}'],
    ['a number as value', '{"data":{"a":1}}'],
    ['null as value', '{"data":{"a":"b","c":null}}'],
    ['an object as value', '{"data":{"a":{}}}'],
    ['an empty key', '{"data":{"":"b"}}'],
    ['a key that is too long', `{"data":{"${'k'.repeat(64 * 1024 + 1)}":"b"}}`],
    ['a value that is too long', `{"data":{"k":"${'v'.repeat(64 * 1024 * 1024 + 1)}"}}`],
    ['half a character in a key', '{"data":{"\\ud800":"b"}}'],
    ['half a character in a value', '{"data":{"a":"\\udc00x"}}'],
    ['bytes that are not UTF-8', Buffer.from('{"data":{"a":"\xff"}}', 'latin1')],
    ['a snapshot that was laid out anew', '{ "format": "kv-snapshot", "data": {"a": "b"} }'],
  ];
  for (const [name, content] of refused) {
    it(`IsRefusedWithNothingChangedAndMayBeCorrected: ${name}`, async () => {
      const image = bare(content);
      const fault = await expectRefusal(image, DB_PATH);
      expect(fault.message.length).to.be.lessThan(600);
      // What the refused start left beside it does not stand in the way.
      const withDirectory = new Map(image).set(`${DB_PATH}.d/lock`, Buffer.from('1\n'));
      await expectRefusal(withDirectory, DB_PATH);
      const corrected = changed(withDirectory, DB_PATH, () => Buffer.from('{"data":{"a":"b"}}'));
      expect((await expectStart(corrected)).content).to.deep.equal(new Map([['a', 'b']]));
    });
  }

  it('MayHoldTheLongestKey', async () => {
    const key = 'k'.repeat(64 * 1024);
    expect((await expectStart(bare(`{"data":{"${key}":"b"}}`))).content).to.deep.equal(new Map([[key, 'b']]));
  });
});

describe('A complete snapshot without its directory', () => {
  it('StartsANewNodeWithItsContentAndIdentitiesOfItsOwn', async () => {
    const image = await record('clean', async (node) => {
      await fill(node, 5);
      await node.put(Buffer.from([0xff, 0, 1]), Buffer.from([0xfe, 0]));
      await node.put('text', Buffer.from([0x80]));
      const key = Buffer.from([0xc3]);
      await node.write({ kind: 'put', key: range(key), value: range('plain') });
    });
    const { content } = await expectStart(image);
    const alone = bare(image.get(DB_PATH)!);
    const started = await expectStart(alone);
    expect(started.content).to.deep.equal(content);
    expect((await expectStart(started.image)).content).to.deep.equal(content);
    const state = (each: Image): Record<string, unknown> =>
      JSON.parse(each.get(NODE_PATH)!.toString()) as Record<string, unknown>;
    expect(state(started.image).node).to.not.equal(state(image).node);
    expect(state(started.image).cluster).to.not.equal(state(image).cluster);
    expect(Number(state(started.image).term)).to.be.greaterThan(Number(state(image).term));
    const head = JSON.parse(started.image.get(DB_PATH)!.toString()) as Record<string, unknown>;
    expect(head.node).to.equal(state(started.image).node);
  });

  it('IsRefusedWhenItIsCutAtAnyLength', async () => {
    const image = await record('clean', (node) => fill(node, 5));
    const whole = image.get(DB_PATH)!;
    for (let length = 0; length < whole.length; length++) {
      await expectRefusal(bare(whole.subarray(0, length)), DB_PATH);
    }
  });

  it('IsRefusedWhenAByteWasFlipped', async () => {
    const image = await record('clean', (node) => fill(node, 5));
    const whole = image.get(DB_PATH)!;
    const { content } = await expectStart(image);
    for (let at = 0; at < whole.length; at++) {
      for (const pattern of [1, 4, 0x20, 0x80]) {
        const flipped = Buffer.from(whole);
        flipped[at] = flipped[at]! ^ pattern;
        const started = await startOn(bare(flipped));
        if (started instanceof StorageFault) expect(started.message).to.include(DB_PATH);
        else expect(started.content, String(at)).to.deep.equal(content);
      }
    }
  });

  it('KeepsItsSegmentsWhenItIsDeletedAndStartedAgain', async () => {
    const image = await record('crash', (node) => fill(node, 5));
    expect(image.has(DB_PATH)).to.equal(false);
    expect(segmentsOf(image)).to.have.length(1);
    expect((await expectStart(image)).content.size).to.equal(5);
  });
});
