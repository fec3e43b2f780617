import { closed, cutOff, refused, request } from './reading.js';
import type { Seen } from './reading.js';

export interface RequestCase {
  /** The behaviour that it shows. */
  readonly name: string;
  /** All bytes of one connection, one character each. */
  readonly stream: string;
  readonly seen: readonly Seen[];
}

const LINE_ENDS: readonly RequestCase[] = [
  { name: 'a line ends with LF', stream: 'PING\n', seen: [request('PING')] },
  { name: 'one CR before the LF is dropped', stream: 'GET k\r\n', seen: [request('GET', 'k')] },
  { name: 'only one CR is dropped', stream: 'GET k\r\r\n', seen: [request('GET', 'k\r')] },
  { name: 'a CR inside a line is an ordinary byte', stream: 'GET a\rb\n', seen: [request('GET', 'a\rb')] },
  {
    name: 'pipelined lines are requests in the order sent',
    stream: 'PUT a 1\nGET a\r\nDELETE a\n',
    seen: [request('PUT', 'a', '1'), request('GET', 'a'), request('DELETE', 'a')],
  },
  {
    name: 'an unterminated last line says so',
    stream: 'PING\nGET k',
    seen: [request('PING'), cutOff('GET', 'k')],
  },
  { name: 'an unterminated PUT says so', stream: 'PUT k half a va', seen: [cutOff('PUT', 'k', 'half a va')] },
  { name: 'an unterminated open quote is refused', stream: 'GET "k', seen: [refused('SYNTAX')] },
  {
    name: 'an unterminated line of blanks is refused',
    stream: 'PING\n  ',
    seen: [request('PING'), refused('SYNTAX')],
  },
  { name: 'no bytes are no request', stream: '', seen: [] },
];

const WORDS: readonly RequestCase[] = [
  {
    name: 'spaces and tabs separate words',
    stream: 'MGET a\tb \t c\n',
    seen: [request('MGET', 'a', 'b', 'c')],
  },
  { name: 'blanks around the words are ignored', stream: ' \tGET k\t \n', seen: [request('GET', 'k')] },
  {
    name: 'names, keys and values come as they were sent',
    stream: 'gEt KeY\n',
    seen: [request('gEt', 'KeY')],
  },
  {
    name: 'a key may be any bytes',
    stream: 'GET \x00\x01\x7f\x80\xff\xc3\n',
    seen: [request('GET', '\x00\x01\x7f\x80\xff\xc3')],
  },
  {
    name: 'an empty line is refused, and the next one read',
    stream: '\nPING\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
  {
    name: 'an empty line with CR is refused',
    stream: '\r\nPING\r\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
  { name: 'a line of blanks is refused', stream: ' \t \nPING\n', seen: [refused('SYNTAX'), request('PING')] },
];

const QUOTES: readonly RequestCase[] = [
  { name: 'a quoted word may hold blanks', stream: 'GET " a\tb "\n', seen: [request('GET', ' a\tb ')] },
  {
    name: 'a quoted word knows all escapes',
    stream: String.raw`GET "\"\\\n\r\t\x00\x7F\xfF"` + '\n',
    seen: [request('GET', '"\\\n\r\t\x00\x7f\xff')],
  },
  { name: 'an escaped LF does not end the line', stream: 'GET "a\\nb"\n', seen: [request('GET', 'a\nb')] },
  { name: 'a quoted word may be empty', stream: 'MSET k ""\n', seen: [request('MSET', 'k', '')] },
  {
    name: 'a quote inside a bare word is an ordinary byte',
    stream: 'GET a"b"\n',
    seen: [request('GET', 'a"b"')],
  },
  {
    name: 'a backslash in a bare word is an ordinary byte',
    stream: 'GET a\\n\n',
    seen: [request('GET', 'a\\n')],
  },
  { name: 'a name may be quoted', stream: '"PUT" k  v\n', seen: [request('PUT', 'k', ' v')] },
  {
    name: 'quoted words stand beside bare ones',
    stream: 'MSET "a b" c "d\\te" ""\n',
    seen: [request('MSET', 'a b', 'c', 'd\te', '')],
  },
  { name: 'an open quote is refused', stream: 'GET "k\nPING\n', seen: [refused('SYNTAX'), request('PING')] },
  {
    name: 'an escaped closing quote leaves it open',
    stream: 'GET "k\\"\nPING\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
  {
    name: 'an escape without a letter leaves it open',
    stream: 'GET "k\\\nPING\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
  {
    name: 'an unknown escape is refused',
    stream: 'GET "\\q"\nPING\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
  { name: 'escapes are lower case', stream: 'GET "\\N"\nPING\n', seen: [refused('SYNTAX'), request('PING')] },
  {
    name: 'half a hexadecimal escape is refused',
    stream: 'GET "\\x4"\nPING\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
  {
    name: 'no hexadecimal digit is refused',
    stream: 'GET "\\x4g"\nPING\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
  {
    name: 'a word that goes on behind its quote is refused',
    stream: 'GET "a"b\nPING\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
];

const VALUES: readonly RequestCase[] = [
  {
    name: 'a value is the rest of the line',
    stream: 'PUT k a b  c\n',
    seen: [request('PUT', 'k', 'a b  c')],
  },
  { name: 'a value keeps its trailing blanks', stream: 'PUT k v \t\n', seen: [request('PUT', 'k', 'v \t')] },
  {
    name: 'a value keeps all leading blanks but one',
    stream: 'PUT k \t v\n',
    seen: [request('PUT', 'k', '\t v')],
  },
  {
    name: 'the one blank before a value may be a tab',
    stream: 'PUT k\t v\n',
    seen: [request('PUT', 'k', ' v')],
  },
  {
    name: 'a value of blanks alone begins behind the first',
    stream: 'PUT k  \n',
    seen: [request('PUT', 'k', ' ')],
  },
  {
    name: 'blanks before the name and the key are no value',
    stream: '  put \t k v\n',
    seen: [request('put', 'k', 'v')],
  },
  { name: 'a value loses one CR before the LF', stream: 'PUT k v\r\r\n', seen: [request('PUT', 'k', 'v\r')] },
  {
    name: 'a value of one CR is none',
    stream: 'PUT k \r\nPING\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
  {
    name: 'a quote inside a value is an ordinary byte',
    stream: 'PUT k a "b\n',
    seen: [request('PUT', 'k', 'a "b')],
  },
  {
    name: 'a quote behind a further blank is verbatim',
    stream: 'PUT k  "v"\n',
    seen: [request('PUT', 'k', ' "v"')],
  },
  {
    name: 'a value that starts with a quote is one quoted word',
    stream: 'PUT k "a \\x62"\n',
    seen: [request('PUT', 'k', 'a b')],
  },
  { name: 'blanks may follow a quoted value', stream: 'PUT k "v" \t \r\n', seen: [request('PUT', 'k', 'v')] },
  { name: 'an empty value is two quotes', stream: 'PUT k ""\n', seen: [request('PUT', 'k', '')] },
  {
    name: 'a word behind a quoted value is refused',
    stream: 'PUT k "v" w\nPING\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
  {
    name: 'a byte right behind a quoted value is refused',
    stream: 'PUT k "v"w\nPING\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
  {
    name: 'an open quote in a value is refused',
    stream: 'PUT k "v\nPING\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
  {
    name: 'an unknown escape in a value is refused',
    stream: 'PUT k "\\0"\nPING\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
  {
    name: 'a PUT without a value is refused',
    stream: 'PUT k\nPING\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
  {
    name: 'a PUT with one blank for a value is refused',
    stream: 'PUT k \nPING\n',
    seen: [refused('SYNTAX'), request('PING')],
  },
  { name: 'the key of a PUT may be quoted', stream: 'PUT "a b" c d\n', seen: [request('PUT', 'a b', 'c d')] },
  {
    name: 'a value may be any bytes but LF',
    stream: 'PUT k \x00\xff\xc3\x16*\n',
    seen: [request('PUT', 'k', '\x00\xff\xc3\x16*')],
  },
  {
    name: 'a value may look like a request',
    stream: 'PUT k PUT k v\n',
    seen: [request('PUT', 'k', 'PUT k v')],
  },
];

const CLOSES: readonly RequestCase[] = [
  {
    name: 'an asterisk elsewhere is an ordinary byte',
    stream: ' *1\nKEYS *\n',
    seen: [request('*1'), request('KEYS', '*')],
  },
  {
    name: 'nothing is read behind HTTP',
    stream: 'PUT /k HTTP/1.1\r\nHost: h\r\n\r\nPUT a b\n',
    seen: [closed('SYNTAX')],
  },
  { name: 'nothing is read behind a TLS hello', stream: '\x16\x03\x01\nPUT a b\n', seen: [closed('SYNTAX')] },
];

/** All of them lines. */
export const REQUEST_CASES: readonly RequestCase[] = [
  ...LINE_ENDS,
  ...WORDS,
  ...QUOTES,
  ...VALUES,
  ...CLOSES,
];
