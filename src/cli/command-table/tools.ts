import { BENCH_OPTIONS } from '../bench/plan.js';
import type { CommandSpec } from '../command-spec.js';
import { ADDRESS_OPTION, FORMAT_OPTION, TIMEOUT_OPTION } from '../options.js';
import { HISTORY_VALUES } from '../shell/history-options.js';

const SHELL: CommandSpec = {
  name: 'shell',
  group: 'Tools',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  summary: 'type commands of the protocol, or read them from stdin',
  options: [
    {
      name: 'history',
      operand: 'FILE',
      description: 'where lines are kept',
      shownDefault: '~/.local/state/understudy/history',
    },
    {
      name: 'history-values',
      operand: HISTORY_VALUES.join('|'),
      description: 'whether with the values of writes; KV_HISTORY_VALUES in the environment says the same',
      shownDefault: HISTORY_VALUES[0],
    },
    { name: 'no-history', description: 'keep none' },
    ADDRESS_OPTION,
    TIMEOUT_OPTION,
  ],
  notes: [
    'On a terminal: Tab completes commands and keys, Ctrl-C gives up what is being done, Ctrl-D leaves. A line that',
    'begins with a blank is not kept. From a pipe or a file: one reply after another, as the line protocol has them,',
    'and errors on stderr with the number of the line. A refused line does not stop the rest; the exit status is that',
    'of the first. Empty lines and those that begin with # are skipped.',
  ],
  examples: [
    { line: 'kv shell', meaning: '' },
    { line: "printf 'PUT a 1\\nGET a\\n' | kv shell", meaning: 'two commands, two replies' },
    { line: 'kv shell < session.txt', meaning: 'a file of commands' },
    { line: 'KV_HISTORY_VALUES=no kv shell', meaning: 'what is stored stays out of the history file' },
  ],
  load: () => import('../commands/shell.js'),
};

const COMPLETION: CommandSpec = {
  name: 'completion',
  group: 'Tools',
  operands: 'bash|zsh',
  operandsMin: 1,
  operandsMax: 2,
  summary: 'print what makes Tab complete kv, its options and its keys',
  options: [{ ...ADDRESS_OPTION, description: 'with keys: the server' }],
  notes: [
    'The script asks "kv completion keys PREFIX" for the keys that begin so: within a second, at most 200 of them,',
    'and none when no server answers.',
  ],
  examples: [
    { line: 'source <(kv completion bash)', meaning: 'in ~/.bashrc' },
    { line: 'source <(kv completion zsh)', meaning: 'in ~/.zshrc, behind compinit' },
  ],
  load: () => import('../commands/completion.js'),
};

const BENCH: CommandSpec = {
  name: 'bench',
  group: 'Tools',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  summary: 'measure how fast a server answers',
  options: [
    ...BENCH_OPTIONS,
    FORMAT_OPTION,
    ADDRESS_OPTION,
    { ...TIMEOUT_OPTION, description: 'how long the server may owe an answer and say nothing' },
  ],
  notes: [
    'It writes to the keys PREFIX0 to PREFIX(N-1) and to no others, whoever they belong to, and leaves them there unless',
    '--clean is given. Reads find nothing where nothing was written before; the report says how many did.',
    'Each client begins a request when it may, so a server that stalls is asked less, and the wait of those who would',
    'have asked meanwhile is in no figure. With --rate, requests begin on time, or as soon as --pipeline allows, and their',
    "latency counts from when they were due; up to 1 ms of it is the generator's. Refused operations are counted, not timed.",
    'Ctrl-C ends it early and keeps the figures: exit status 130. So does a server that dies: exit status 3. Exit status 5',
    'when every operation was refused. On a terminal a line on stderr shows the last half second.',
  ],
  examples: [
    { line: 'kv bench', meaning: '50 clients, half of the operations read, 10 seconds' },
    { line: 'kv bench --pipeline 16 --reads 90 --value-bytes 100-1KiB', meaning: '' },
    { line: 'kv bench --rate 5000 --pipeline 100 --seconds 60', meaning: 'latencies at a given load' },
    { line: 'kv bench --operations 100000 --format json | jq .writes.p99Ms', meaning: '' },
  ],
  load: () => import('../commands/bench.js'),
};

const CHECK: CommandSpec = {
  name: 'check',
  group: 'Tools',
  operands: '[FILE]',
  operandsMin: 0,
  operandsMax: 1,
  summary: 'say whether data on disk is whole, and change nothing',
  options: [FORMAT_OPTION],
  notes: [
    'FILE is what --db-path of a server names, kv-store.json when it is not given, or the directory beside it, which ends in',
    '.d. A snapshot by itself, such as a backup, is checked as what a new server would be started from, and so is a bare file',
    '{"data":{…}}. Nothing is changed, and nothing is opened for writing; a server that uses the data must be stopped first.',
    'It reads every file to its end, says what a start would do, and counts the keys that the server would have.',
    'Exit status 0: whole; the end of a write that a crash interrupted is no damage. 5: damaged, also where a start could',
    'make it good, or in use. 2: no such data.',
  ],
  examples: [
    { line: 'kv check', meaning: 'kv-store.json, and what belongs to it' },
    { line: 'kv check /var/lib/kv/store.json', meaning: '' },
    { line: 'kv check backup.json && echo good', meaning: 'a copy of the JSON file' },
    { line: 'kv check --format json | jq .damage', meaning: '' },
  ],
  load: () => import('../commands/check.js'),
};

export const TOOL_COMMANDS: readonly CommandSpec[] = [SHELL, BENCH, CHECK, COMPLETION];
