import { expect } from 'chai';
import { crc32 } from 'node:zlib';
import { SUM_SLICE_BYTES, StateSum } from '../../src/store/state-sum.js';
import { seededRandom, testSeed, withSeed } from '../random.js';
import { range } from '../node/engine-fixture.js';

type Pair = readonly [key: string, value: string | Buffer];

function sumOf(pairs: readonly Pair[]): string {
  const sum = new StateSum();
  for (const [key, value] of pairs) sum.add(range(key), range(value));
  while (sum.isBusy) sum.step();
  return sum.text;
}

/** The text of one entry with this checksum, by arithmetic of another kind. */
function textOf(checksum: number): string {
  const second = (BigInt(checksum) * 0x9e3779b9n) & 0xffffffffn;
  return `1:${mixed(BigInt(checksum))}${mixed(second ^ 0x9e3779b9n)}`;
}

function mixed(number: bigint): string {
  const by = (value: bigint, factor: bigint): bigint => (value * factor) & 0xffffffffn;
  const once = by(number ^ (number >> 16n), 0x85ebca6bn);
  const twice = by(once ^ (once >> 13n), 0xc2b2ae35n);
  return (twice ^ (twice >> 16n)).toString(16).padStart(8, '0');
}

describe('The checksum of a state', () => {
  it('IsTheSameInAnyOrder', async () => {
    const seed = testSeed();
    await withSeed(seed, (random) => {
      const pairs: Pair[] = Array.from({ length: 500 }, (_, at) => {
        return [`key ${String(at)}`, random.bytes(random.below(400))];
      });
      const expected = sumOf(pairs);
      for (let round = 0; round < 5; round++) {
        const order = pairs.map((pair) => ({ pair, by: random.next() })).sort((a, b) => a.by - b.by);
        expect(sumOf(order.map(({ pair }) => pair))).to.equal(expected);
      }
      return Promise.resolve();
    });
  });

  it('IsAnotherWhenAnythingDiffers', () => {
    const pairs: Pair[] = [
      ['a', '1'],
      ['b', '2'],
      ['c', ''],
    ];
    const others: Pair[][] = [
      [],
      pairs.slice(1),
      [...pairs, ['d', '']],
      [['a', '2'], ['b', '1'], pairs[2]!],
      [['a1', ''], ...pairs.slice(1)],
      [['', 'a1'], ...pairs.slice(1)],
      [['a', '1\0'], ...pairs.slice(1)],
      [pairs[0]!, pairs[0]!, pairs[1]!],
    ];
    const all = [pairs, ...others].map(sumOf);
    expect(new Set(all).size).to.equal(all.length);
  });

  it('FindsEachBitThatIsTurned', () => {
    const random = seededRandom(1);
    const value = random.bytes(200);
    const expected = sumOf([['key', value]]);
    for (let bit = 0; bit < value.length * 8; bit++) {
      const turned = Buffer.from(value);
      turned[bit >>> 3] = (turned[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      expect(sumOf([['key', turned]])).to.not.equal(expected);
    }
  });

  it('IsMadeOfTheChecksumThatZlibHasWhateverWayTheBytesWereTakenIn', () => {
    // At, below and beyond what a loop takes, and what a turn takes.
    for (const length of [0, 127, 128, 129, SUM_SLICE_BYTES, SUM_SLICE_BYTES + 1, 3 * SUM_SLICE_BYTES + 5]) {
      const value = Buffer.alloc(length, 'value');
      const entry = Buffer.concat([Buffer.from([3, 0, 0, 0]), Buffer.from('key'), value]);
      expect(sumOf([['key', value]])).to.equal(textOf(crc32(entry)));
    }
  });

  it('TakesInNoMoreThanASliceInATurnAndKeepsNothingLonger', () => {
    const sum = new StateSum();
    sum.add(range('key'), range(Buffer.alloc(64 * 1024 * 1024, 1)));
    expect(sum.waitingBytes).to.equal(64 * 1024 * 1024);
    expect(() => sum.text).to.throw('not everything');
    expect(sum).to.include({ isBusy: true, isFull: false });
    for (let turns = 63; turns >= 0; turns--) {
      expect(sum.isBusy).to.equal(true);
      sum.step();
      expect(sum.waitingBytes).to.equal(turns * SUM_SLICE_BYTES);
    }
    expect(sum.isBusy).to.equal(false);
    for (const isFull of [false, true]) {
      sum.add(range('key'), range(Buffer.alloc(SUM_SLICE_BYTES + 1, 1)));
      expect(sum.isFull).to.equal(isFull);
    }
  });

  it('IsWrittenInOneWay', () => {
    // What nodes of another version are compared with: not to be changed without a word in the handshake.
    expect(sumOf([])).to.equal('0:0000000000000000');
    expect(sumOf([['key', 'value']])).to.equal(textOf(crc32(Buffer.from('\x03\0\0\0keyvalue'))));
  });
});
