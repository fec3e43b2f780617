/** Whole numbers below 2^53 in eight bytes, little endian: what terms and indexes are stored as. */
export const UINT53_BYTES = 8;
const HIGH_MAX = 2 ** 21;
const LOW_RANGE = 2 ** 32;

export function writeUint53(target: Buffer, value: number, at: number): void {
  target.writeUInt32LE(value % LOW_RANGE, at);
  target.writeUInt32LE(Math.floor(value / LOW_RANGE), at + 4);
}

/** NaN when the eight bytes hold a number that JavaScript could not keep exactly. */
export function readUint53(source: Buffer, at: number): number {
  const high = source.readUInt32LE(at + 4);
  return high < HIGH_MAX ? high * LOW_RANGE + source.readUInt32LE(at) : NaN;
}
