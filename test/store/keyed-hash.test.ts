import { expect } from 'chai';
import { viewOf } from '../../src/copying.js';
import { KeyedHash } from '../../src/store/keyed-hash.js';
import { testSeed, withSeed } from '../random.js';

/** What the Linux kernel's tests expect of HalfSipHash-1-3 of no byte, of 0, of 0 1, and so on, with the secret 0 1 2 … 7. */
const VECTORS = [
  0x5814c896, 0xe7e864ca, 0xbc4b0e30, 0x01539939, 0x7e059ea6, 0x88e3d89b, 0xa0080b65, 0x9d38d9d6, 0x577999b1,
  0xc839caed, 0xe4fa32cf, 0x959246ee, 0x6b28096c, 0x66dd9cd6, 0x16658a7c, 0xd0257b04, 0x8b31d501, 0x2b1cd04b,
];

function ascending(count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, (_, at) => at));
}

describe('A keyed hash', () => {
  it('IsHalfSipHashWithOneAndThreeRounds', () => {
    const hash = new KeyedHash(ascending(8));
    for (const [length, expected] of VECTORS.entries()) {
      expect(hash.of(viewOf(ascending(length)), 0, length) >>> 0).to.equal(expected);
    }
  });

  it('IsOfTheRangeAlone', () => {
    const hash = new KeyedHash(ascending(8));
    const around = Buffer.concat([Buffer.from('abc'), ascending(13), Buffer.from('defgh')]);
    expect(hash.of(viewOf(around), 3, 16)).to.equal(hash.of(viewOf(ascending(13)), 0, 13));
  });

  it('KeysThatCollideUnderOneSecretDoNotUnderAnother', async () => {
    await withSeed(testSeed(), (random) => {
      const known = new KeyedHash(random.bytes(8));
      const other = new KeyedHash(random.bytes(8));
      const chosen: Buffer[] = [];
      while (chosen.length < 200) {
        const key = random.bytes(12);
        if ((known.of(viewOf(key), 0, 12) & 0x3ff) === 7) chosen.push(key);
      }
      const cells = new Set(chosen.map((key) => other.of(viewOf(key), 0, 12) & 0x3ff));
      // 200 keys thrown into 1,024 cells at random fill 182 of them, give or take 4.
      expect(cells.size).to.be.within(150, 200);
    });
  });
});
