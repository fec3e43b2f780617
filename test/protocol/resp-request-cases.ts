import { array, closed, cutOff, encodeArray, refused, request } from './reading.js';
import type { RequestCase } from './request-cases.js';

/** With the name and a value they are more words than one digit tells. */
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];

const ARRAYS: readonly RequestCase[] = [
  {
    name: 'an array of bulk strings is a request',
    stream: '*2\r\n$3\r\nGET\r\n$1\r\nk\r\n',
    seen: [array('GET', 'k')],
  },
  {
    name: 'pipelined arrays are requests in the order sent',
    stream: encodeArray('PUT', 'a', '1') + encodeArray('GET', 'a') + encodeArray('PING'),
    seen: [array('PUT', 'a', '1'), array('GET', 'a'), array('PING')],
  },
  {
    name: 'a bulk may hold any bytes',
    stream: encodeArray('PUT', '\x00\xff\r\n', '*1\r\n$1\r\n" \t\\x'),
    seen: [array('PUT', '\x00\xff\r\n', '*1\r\n$1\r\n" \t\\x')],
  },
  { name: 'a bulk may be empty', stream: encodeArray('PUT', 'k', ''), seen: [array('PUT', 'k', '')] },
  {
    name: 'the value of a PUT is one word',
    stream: encodeArray('PUT', 'k', 'a', ' b'),
    seen: [array('PUT', 'k', 'a', ' b')],
  },
  {
    name: 'a length may have several digits',
    stream: encodeArray('MGET', ...KEYS, 'v'.repeat(123)),
    seen: [array('MGET', ...KEYS, 'v'.repeat(123))],
  },
];

const EMPTY: readonly RequestCase[] = [
  { name: 'an empty array is skipped', stream: '*0\r\n*1\r\n$4\r\nPING\r\n', seen: [array('PING')] },
  { name: 'a null array is skipped', stream: '*-1\r\n*1\r\n$4\r\nPING\r\n', seen: [array('PING')] },
  { name: 'an array of any negative length is skipped', stream: '*-12\r\nPING\r\n', seen: [request('PING')] },
  { name: 'nothing but empty arrays is nothing', stream: '*0\r\n*-1\r\n*0\r\n', seen: [] },
];

const MIXED: readonly RequestCase[] = [
  {
    name: 'lines and arrays may alternate',
    stream: `GET a\n${encodeArray('GET', 'b')}GET c\r\n${encodeArray('GET', 'd')}`,
    seen: [request('GET', 'a'), array('GET', 'b'), request('GET', 'c'), array('GET', 'd')],
  },
  {
    name: 'an array behind a refused line is read',
    stream: `GET "k\n${encodeArray('PING')}`,
    seen: [refused('SYNTAX'), array('PING')],
  },
  {
    name: 'an empty line behind an array is skipped',
    stream: `${encodeArray('PING')}\r\n\n${encodeArray('PING')}`,
    seen: [array('PING'), array('PING')],
  },
  {
    name: 'an empty line behind an empty array is skipped',
    stream: '*0\r\n\r\nPING\r\n',
    seen: [request('PING')],
  },
  {
    name: 'an empty line behind a line is refused, also after arrays',
    stream: `${encodeArray('PING')}PING\n\n`,
    seen: [array('PING'), request('PING'), refused('SYNTAX')],
  },
  {
    name: 'an unterminated last line may follow arrays',
    stream: `${encodeArray('PING')}GET k`,
    seen: [array('PING'), cutOff('GET', 'k')],
  },
  {
    name: 'the first line is not executed when it ends like HTTP, also behind arrays',
    stream: `${encodeArray('PING')}\r\nPUT /k HTTP/1.1\r\nPUT a b\n`,
    seen: [array('PING'), closed('SYNTAX')],
  },
  {
    name: 'a later line may end like HTTP',
    stream: `PING\n${encodeArray('PING')}PUT /k HTTP/1.1\r\n`,
    seen: [request('PING'), array('PING'), request('PUT', '/k', 'HTTP/1.1')],
  },
  {
    name: 'POST closes behind arrays',
    stream: `PING\n${encodeArray('PING')}POST / HTTP/1.1\r\n${encodeArray('PING')}`,
    seen: [request('PING'), array('PING'), closed('SYNTAX')],
  },
  {
    name: 'the first byte of a TLS hello behind an array begins a line',
    stream: `${encodeArray('PING')}\x16 a\n`,
    seen: [array('PING'), request('\x16', 'a')],
  },
  {
    name: 'an array may hold what looks like HTTP',
    stream: encodeArray('PUT', '/path', 'x HTTP/1.1'),
    seen: [array('PUT', '/path', 'x HTTP/1.1')],
  },
];

/** What the end of the stream cuts off is nothing, wherever it does. */
const CUT_OFF: readonly RequestCase[] = [
  '*',
  '*1',
  '*1\r',
  '*1\r\n',
  '*1\r\n$',
  '*1\r\n$4\r',
  '*1\r\n$4\r\nPIN',
  '*1\r\n$4\r\nPING',
  '*1\r\n$4\r\nPING\r',
  '*2\r\n$4\r\nPING\r\n',
  '*0\r',
].map((cut) => ({
  name: `${JSON.stringify(cut)} is no request`,
  stream: `${encodeArray('PING')}${cut}`,
  seen: [array('PING')],
}));

/** Each closes the connection, and nothing that follows is read. */
const MALFORMED: readonly RequestCase[] = [
  ['a length that is no number', '*x\r\n'],
  ['a length with a letter behind it', '*1x\r\n'],
  ['a length without digits', '*\r\n'],
  ['a sign without digits', '*-\r\n'],
  ['a plus sign', '*+1\r\n'],
  ['two signs', '*--1\r\n'],
  ['a sign behind a digit', '*1-\r\n'],
  ['a zero in front', '*01\r\n'],
  ['two zeros', '*00\r\n'],
  ['a zero behind a sign', '*-0\r\n'],
  ['a blank in front of a length', '* 1\r\n'],
  ['a blank behind a length', '*1 \r\n'],
  ['a length of twenty digits', `*${'1'.repeat(20)}\r\n`],
  ['a length that does not end', `*${'1'.repeat(1000)}`],
  ['a length that ends in LF', '*1\n$4\r\nPING\r\n'],
  ['a CR without LF behind a length', '*1\r$4\r\nPING\r\n'],
  ['two CR behind a length', '*1\r\r\n$4\r\nPING\r\n'],
  ['a null bulk', '*1\r\n$-1\r\n'],
  ['a negative bulk length', '*1\r\n$-5\r\n'],
  ['a bulk length that is no number', '*1\r\n$x\r\n'],
  ['a bulk length without digits', '*1\r\n$\r\n'],
  ['a bulk length with a zero in front', '*1\r\n$04\r\nPING\r\n'],
  ['a plus sign in front of a bulk length', '*1\r\n$+4\r\nPING\r\n'],
  ['a bulk length that ends in LF', '*1\r\n$4\nPING\r\n'],
  ['an array in an array', '*1\r\n*1\r\n$4\r\nPING\r\n'],
  ['an integer in an array', '*1\r\n:1\r\n'],
  ['a simple string in an array', '*1\r\n+PING\r\n'],
  ['a word without its header', '*1\r\nPING\r\n'],
  ['an array that is shorter than it says', `*2\r\n$4\r\nPING\r\n*1\r\n`],
  ['a bulk that is longer than it says', '*1\r\n$3\r\nPING\r\n'],
  ['a bulk that is shorter than it says', '*1\r\n$5\r\nPING\r\n*1\r\n'],
  ['a bulk that ends in LF', '*1\r\n$4\r\nPING\n*1\r\n'],
  ['a bulk whose CR has no LF', '*1\r\n$4\r\nPING\rx'],
  ['an empty bulk without its end', '*1\r\n$0\r\n$4\r\n'],
].map(([name = '', stream = '']) => ({
  name: `${name} closes`,
  stream: `${encodeArray('PING')}${stream}${encodeArray('PUT', 'a', 'b')}PUT a b\r\n`,
  seen: [array('PING'), closed('SYNTAX', 'resp')],
}));

/** Arrays, and arrays among lines. */
export const ARRAY_CASES: readonly RequestCase[] = [...ARRAYS, ...EMPTY, ...MIXED, ...CUT_OFF, ...MALFORMED];
