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

/**
 * The largest bounds that a server may be given. What is behind the door carries this much: links between nodes, the log and
 * the JSON file.
 */
export const LARGEST_REQUEST_LIMITS: RequestLimits = {
  keyBytesMax: MIB,
  valueBytesMax: 80 * MIB,
  requestBytesMax: 256 * MIB,
  wordsMax: 4_194_304,
  globBytesMax: DEFAULT_REQUEST_LIMITS.globBytesMax,
};
