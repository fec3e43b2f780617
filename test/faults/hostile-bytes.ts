import type { Random } from '../random.js';

/** Bytes that a framing gives a meaning to, and the first words of other protocols. */
const PIECES = [
  '\n',
  '\r\n',
  '\r',
  '\0',
  ' ',
  '\t',
  '"',
  '\\',
  '\\x4',
  '*',
  '*1\r\n',
  '*-1\r\n',
  '*0\r\n',
  '*2147483648\r\n',
  '*9007199254740993\r\n',
  '$',
  '$-1\r\n',
  '$0\r\n\r\n',
  '$4294967296\r\n',
  '$00000000000000000003\r\n',
  ':1\r\n',
  '+OK\r\n',
  '%1\r\n',
  '\x16\x03\x01',
  'SSH-2.0-OpenSSH_9.2\r\n',
  'GET / HTTP/1.1\r\n',
  'POST / HTTP/1.1\r\n',
  'Host: a\r\n',
  'REPLICATE ',
  '\xff\xfe',
  '\xc3\xa4',
].map((piece) => Buffer.from(piece, 'latin1'));

const COMMANDS: readonly (readonly string[])[] = [
  ['PUT', 'k', 'v'],
  ['SET', 'k', 'v'],
  ['SET', 'k', 'v', 'NX'],
  ['MSET', 'k', 'v', 'k', 'v'],
  ['MSET', 'k', 'v', 'k'],
  ['SESSION', '7', '1', '1'],
  ['SESSION', 'v', '1', '1'],
  ['SESSION', '7', '1'],
  ['DELETE', 'k'],
  ['DEL', 'k', 'k', 'k'],
  ['GET', 'k'],
  ['MGET', 'k', 'k', 'k'],
  ['EXISTS', 'k', 'k'],
  ['KEYS'],
  ['KEYS', 'k*'],
  ['SCAN', '0', 'MATCH', 'k*', 'COUNT', '10'],
  ['DBSIZE'],
  ['PING'],
  ['ECHO', 'v'],
  ['SELECT', '0'],
  ['HELLO', '3'],
  ['HELLO', '2', 'SETNAME', 'k'],
  ['CLIENT', 'SETINFO', 'LIB-NAME', 'v'],
  ['COMMAND', 'DOCS', 'GET'],
  ['CONFIG', 'GET', 'save'],
  ['INFO'],
  ['STATUS'],
  ['HEARTBEAT'],
  ['QUIT'],
  ['NOSUCH', 'k', 'v'],
];

const KEYS = 12;
/** Few are long: what is to be found lies at the edges. */
const LONG_VALUE_BYTES = 9000;

function word(random: Random, kind: string): Buffer {
  if (kind === 'k') return Buffer.from(`k${String(random.below(KEYS))}`);
  if (kind !== 'v') return Buffer.from(random.below(4) === 0 ? kind.toLowerCase() : kind);
  switch (random.below(8)) {
    case 0:
      return random.bytes(random.below(40));
    case 1:
      return Buffer.concat([random.pick(PIECES), random.bytes(random.below(4)), random.pick(PIECES)]);
    case 2:
      return Buffer.alloc(random.below(15) === 0 ? random.below(LONG_VALUE_BYTES) : 60, 'long');
    default:
      return Buffer.from(`value ${String(random.below(1000))}`);
  }
}

export function asArray(words: readonly Buffer[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${String(words.length)}\r\n`)];
  for (const bytes of words)
    parts.push(Buffer.from(`$${String(bytes.length)}\r\n`), bytes, Buffer.from('\r\n'));
  return Buffer.concat(parts);
}

export function asLine(words: readonly Buffer[]): Buffer {
  return Buffer.from(`${words.map(quoted).join(' ')}\n`, 'latin1');
}

/** Bare where any reader would agree that it may be. */
function quoted(bytes: Buffer): string {
  const text = bytes.toString('latin1');
  if (/^[\w*:.-]+$/.test(text)) return text;
  const escaped = text.replace(/[^\x20-\x7e]|["\\]/g, (char) => {
    return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
  return `"${escaped}"`;
}

function request(random: Random): Buffer {
  const words = random.pick(COMMANDS).map((kind) => word(random, kind));
  return random.below(2) === 0 ? asArray(words) : asLine(words);
}

type Mutation = (random: Random, bytes: Buffer) => Buffer;

/** Each makes something else of a request; some of the results are still requests, others than were meant. */
const MUTATIONS: readonly Mutation[] = [
  // One bit is another.
  (random, bytes) => {
    const changed = Buffer.from(bytes);
    const at = random.below(bytes.length);
    changed[at] = bytes[at]! ^ (1 << random.below(8));
    return changed;
  },
  // A piece is missing.
  (random, bytes) => {
    const from = random.below(bytes.length);
    return replaced(bytes, from, random.below(Math.min(8, bytes.length - from)) + 1, Buffer.alloc(0));
  },
  // The end is missing.
  (random, bytes) => bytes.subarray(0, random.below(bytes.length)),
  // A piece stands twice.
  (random, bytes) => {
    const from = random.below(bytes.length);
    return replaced(bytes, from, 0, bytes.subarray(from, from + random.below(10) + 1));
  },
  // Something that has a meaning stands where nobody expects it.
  (random, bytes) => replaced(bytes, random.below(bytes.length + 1), random.below(3), random.pick(PIECES)),
  // Noise.
  (random, bytes) =>
    replaced(bytes, random.below(bytes.length + 1), random.below(4), random.bytes(random.below(6) + 1)),
  // A number is another.
  (random, bytes) => {
    const text = bytes.toString('latin1');
    const other = random.pick([
      '-1',
      '0',
      '1',
      '2',
      '7',
      '00',
      '+3',
      '3 ',
      '99999999',
      '18446744073709551615',
    ]);
    const at = [...text.matchAll(/\d+/g)];
    if (at.length === 0) return bytes;
    const { index, 0: digits } = random.pick(at);
    return replaced(bytes, index, digits.length, Buffer.from(other));
  },
  // The beginning of one goes on as another.
  (random, bytes) => {
    const other = request(random);
    return Buffer.concat([
      bytes.subarray(0, random.below(bytes.length)),
      other.subarray(random.below(other.length)),
    ]);
  },
];

function replaced(bytes: Buffer, from: number, count: number, by: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(from + count)]);
}

const REQUESTS_MAX = 24;

/**
 * What one connection sends: requests in both framings as they should be, others that were changed at random, and noise.
 * Most changes end a connection, so the one that comes last is changed more often than the others.
 */
export function hostileStream(random: Random): Buffer {
  const requests: Buffer[] = [];
  const count = random.below(REQUESTS_MAX) + 1;
  for (let at = 1; at <= count; at++) {
    let bytes = request(random);
    const isChanged = random.below(at === count ? 2 : 12) === 0;
    for (let changes = isChanged ? random.below(3) + 1 : 0; changes > 0 && bytes.length > 0; changes--) {
      bytes = random.pick(MUTATIONS)(random, bytes);
    }
    requests.push(bytes);
  }
  if (random.below(20) === 0) requests.unshift(random.pick(PIECES));
  if (random.below(20) === 0) requests.push(random.bytes(random.below(50)));
  return Buffer.concat(requests);
}

/** The same bytes in pieces, cut at random; most often few of them. */
export function inPieces(random: Random, whole: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  const most = random.pick([1, 2, 5, 40, 100_000]);
  for (let from = 0; from < whole.length;) {
    const length = Math.min(whole.length - from, random.below(most) + 1);
    pieces.push(Buffer.from(whole.subarray(from, from + length)));
    from += length;
  }
  return pieces;
}
