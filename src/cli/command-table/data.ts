import type { CommandSpec } from '../command-spec.js';
import { ADDRESS_OPTION, FORMAT_OPTION, TIMEOUT_OPTION } from '../options.js';

const JSON_NOTE = [
  'In JSON, text stands as it is. Bytes that are not valid UTF-8 stand in base64 under a name',
  'that ends in Base64: {"keyBase64":"/w=="} where {"key":"…"} would stand.',
];

const PUT: CommandSpec = {
  name: 'put',
  group: 'Data',
  operands: 'KEY VALUE',
  operandsMin: 1,
  operandsMax: 2,
  summary: 'set a key',
  options: [
    { name: 'file', operand: 'FILE', description: 'read the value from a file, byte for byte' },
    ADDRESS_OPTION,
    TIMEOUT_OPTION,
  ],
  notes: [
    'VALUE - reads the value from stdin, byte for byte, to its end, within the timeout unless it is typed.',
    'What stands behind -- is taken as it is, for words that look like options, and for the value "-".',
  ],
  examples: [
    { line: 'kv put mykey "hello world"', meaning: '' },
    { line: 'kv put photo --file cat.jpg', meaning: 'the bytes of a file' },
    { line: 'date | kv put now -', meaning: 'the bytes of stdin' },
    { line: 'kv put flag -- --verbose', meaning: 'a value that looks like an option' },
  ],
  load: () => import('../commands/put.js'),
};

const GET: CommandSpec = {
  name: 'get',
  group: 'Data',
  operands: 'KEY',
  operandsMin: 1,
  operandsMax: 1,
  summary: 'print the value of a key',
  options: [FORMAT_OPTION, ADDRESS_OPTION, TIMEOUT_OPTION],
  notes: [
    'On a pipe or into a file the value comes byte for byte and nothing else; on a terminal, where bytes could',
    'do harm, it is escaped. No such key: exit status 1.',
    ...JSON_NOTE,
  ],
  examples: [
    { line: 'kv get mykey', meaning: '' },
    { line: 'kv get photo > cat.jpg', meaning: 'the exact bytes' },
    { line: 'kv get mykey --format json', meaning: '{"key":"mykey","value":"hello world"}' },
  ],
  load: () => import('../commands/get.js'),
};

const DELETE: CommandSpec = {
  name: 'delete',
  group: 'Data',
  operands: 'KEY',
  operandsMin: 1,
  operandsMax: 1,
  summary: 'remove a key',
  options: [ADDRESS_OPTION, TIMEOUT_OPTION],
  notes: ['No such key: exit status 1.'],
  examples: [{ line: 'kv delete mykey', meaning: '' }],
  load: () => import('../commands/delete.js'),
};

const KEYS: CommandSpec = {
  name: 'keys',
  group: 'Data',
  operands: '[GLOB]',
  operandsMin: 0,
  operandsMax: 1,
  summary: 'list the keys, sorted',
  options: [FORMAT_OPTION, ADDRESS_OPTION, TIMEOUT_OPTION],
  notes: [
    'One key a line, sorted by its bytes; a key that could be mistaken is quoted. In JSON, an array of texts.',
    ...JSON_NOTE,
  ],
  examples: [
    { line: 'kv keys', meaning: '' },
    { line: "kv keys 'user:*'", meaning: 'those that match; the quotes keep the * from the shell' },
  ],
  load: () => import('../commands/keys.js'),
};

export const DATA_COMMANDS: readonly CommandSpec[] = [PUT, GET, DELETE, KEYS];
