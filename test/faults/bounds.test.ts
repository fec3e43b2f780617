import { expect } from 'chai';
import { Conversation, talk } from '../server/conversation.js';
import { serverFixture } from '../server/running-server.js';
import { FRAMINGS, REPLIES, framed, serverOptions } from './bounded-server.js';
import type { Framing, Replies } from './bounded-server.js';
import { inTime } from './cluster.js';

const KEY_BYTES = 100;
const VALUE_BYTES = 1000;
const REQUEST_BYTES = 4096;
const WORDS = 16;
const DATA_BYTES = 1024;
const SMALL = [
  `--key-bytes-max ${String(KEY_BYTES)}`,
  `--value-bytes-max ${String(VALUE_BYTES)}`,
  `--request-bytes-max ${String(REQUEST_BYTES)}`,
  `--request-words-max ${String(WORDS)}`,
].join(' ');

interface Bound {
  readonly name: string;
  readonly options: string;
  /** A request that is this many past its bound: 0 or 1. */
  request(past: number, framing: Framing): readonly string[];
  reply(replies: Replies): string;
  readonly code: string;
  /** In which framings nobody can tell what comes behind the request: the connection is closed. */
  readonly closes: readonly Framing[];
}

/** A request that has exactly so many bytes in this framing. */
function requestOf(size: number, framing: Framing): string[] {
  const whole = 'v'.repeat(VALUE_BYTES);
  const words = ['MSET', 'a', whole, 'b', whole, 'c', whole, 'd', 'v'.repeat(200), 'e', 'v'];
  for (let length = 0; length <= VALUE_BYTES; length++) {
    words[10] = 'v'.repeat(length);
    if (framed(framing, words).length === size) return words;
  }
  throw new Error(`no request of ${String(size)} bytes`);
}

const BOUNDS: readonly Bound[] = [
  {
    name: 'AKeyThatIsWritten',
    options: SMALL,
    request: (past) => ['PUT', 'k'.repeat(KEY_BYTES + past), 'v'],
    reply: (replies) => replies.ok,
    code: 'TOO_LARGE',
    closes: [],
  },
  {
    name: 'AKeyThatIsRead',
    options: SMALL,
    request: (past) => ['GET', 'k'.repeat(KEY_BYTES + past)],
    reply: (replies) => replies.null,
    code: 'TOO_LARGE',
    closes: [],
  },
  {
    name: 'AKeyBehindOthers',
    options: SMALL,
    request: (past) => ['MSET', 'stored in part', '1', 'k'.repeat(KEY_BYTES + past), '2'],
    reply: (replies) => replies.ok,
    code: 'TOO_LARGE',
    closes: [],
  },
  {
    name: 'AValue',
    options: SMALL,
    request: (past) => ['PUT', 'stored in part', 'v'.repeat(VALUE_BYTES + past)],
    reply: (replies) => replies.ok,
    code: 'TOO_LARGE',
    closes: [],
  },
  {
    name: 'AValueBehindOthers',
    options: SMALL,
    request: (past) => ['MSET', 'stored in part', '1', 'b', 'v'.repeat(VALUE_BYTES + past)],
    reply: (replies) => replies.ok,
    code: 'TOO_LARGE',
    closes: [],
  },
  {
    name: 'AWholeRequest',
    options: SMALL,
    request: (past, framing) => requestOf(REQUEST_BYTES + past, framing),
    reply: (replies) => replies.ok,
    code: 'TOO_LARGE',
    closes: ['line', 'resp'],
  },
  {
    name: 'TheWordsOfARequest',
    options: SMALL,
    request: (past) => ['DEL', ...Array.from({ length: WORDS - 1 + past }, () => 'k')],
    reply: (replies) => replies.integer(0),
    code: 'TOO_LARGE',
    // An array that is too long is not read through.
    closes: ['resp'],
  },
  {
    name: 'TheData',
    options: `--data-bytes-max ${String(DATA_BYTES)}`,
    request: (past) => ['PUT', 'stored in part', 'v'.repeat(DATA_BYTES - 'stored in part'.length + past)],
    reply: (replies) => replies.ok,
    code: 'MEMORY_FULL',
    closes: [],
  },
];

/** Other requests, in both framings, around the one that is looked at. */
const OTHERS = FRAMINGS.map((framing) => ({
  bytes: framed(framing, ['PING']),
  reply: REPLIES[framing].pong,
}));
const POSITIONS = [
  { name: 'AsTheFirstRequest', before: [], after: OTHERS },
  { name: 'BehindOtherRequests', before: [...OTHERS, ...OTHERS], after: [] },
  { name: 'BetweenOtherRequests', before: OTHERS, after: OTHERS },
];

describe('The bounds of a request and of the data', () => {
  const fixture = serverFixture();

  for (const bound of BOUNDS) {
    for (const framing of FRAMINGS) {
      for (const { name, before, after } of POSITIONS) {
        const replies = REPLIES[framing];
        const bytes = (past: number): Buffer => framed(framing, bound.request(past, framing));

        it(`${bound.name}In${framing === 'line' ? 'ALine' : 'AnArray'}${name}IsTakenAtTheBoundAndRefusedPastIt`, async () => {
          const { address } = await fixture.start(serverOptions(bound.options));
          const around = (middle: Buffer): Buffer =>
            Buffer.concat([...before.map((one) => one.bytes), middle, ...after.map((one) => one.bytes)]);
          const pattern = (reply: string, behind: readonly { reply: string }[]): RegExp =>
            new RegExp(`^${[...before, { reply }, ...behind].map((one) => one.reply).join('')}$`);

          const past = await inTime('the refusal', talk(address, around(bytes(1))));
          const isClosed = bound.closes.includes(framing);
          expect(past).to.match(pattern(replies.error(bound.code), isClosed ? [] : after));
          expect(await talk(address, 'DBSIZE\n'), 'stored in part').to.equal('0\n');

          const at = await inTime('the answer', talk(address, around(bytes(0))));
          expect(at).to.match(pattern(bound.reply(replies), after));
        });
      }
    }
  }

  it('LetDataThatIsFullBeReadReplacedAndRemoved', async () => {
    const { address } = await fixture.start(serverOptions(`--data-bytes-max ${String(DATA_BYTES)}`));
    await talk(address, framed('line', ['PUT', 'a', 'v'.repeat(DATA_BYTES - 1)]));
    const client = await Conversation.open(address);
    const steps: readonly (readonly [words: string[], reply: RegExp])[] = [
      [['PUT', 'b', ''], /^-MEMORY_FULL /],
      [['MSET', 'a', 'small', 'b', 'v'.repeat(DATA_BYTES)], /^-MEMORY_FULL /],
      [['PUT', 'a', 'w'.repeat(DATA_BYTES - 1)], /^\+OK/],
      [['DBSIZE'], /^:1\r/],
      [['DEL', 'a'], /^:1\r/],
      [['PUT', 'b', 'v'.repeat(DATA_BYTES - 1)], /^\+OK/],
    ];
    let received = 0;
    for (const [words, reply] of steps) {
      client.send(framed('resp', words));
      const all = await client.until((text) => text.endsWith('\r\n') && text.length > received);
      expect(all.slice(received), words[0]).to.match(reply);
      received = all.length;
    }
    client.end();
  });
});
