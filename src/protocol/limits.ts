/** What one request may be at most. All in bytes, but for the words. */
export interface RequestLimits {
  readonly keyBytesMax: number;
  readonly valueBytesMax: number;
  /** A whole request in either framing, its line ending included. */
  readonly requestBytesMax: number;
  readonly wordsMax: number;
  /** A pattern of KEYS. Matching takes time with the product of the lengths of pattern and key. */
  readonly globBytesMax: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export const DEFAULT_REQUEST_LIMITS: RequestLimits = {
  keyBytesMax: 64 * KIB,
  valueBytesMax: 64 * MIB,
  requestBytesMax: 64 * MIB + 128 * KIB,
  wordsMax: 1_048_576,
  globBytesMax: 256,
};
