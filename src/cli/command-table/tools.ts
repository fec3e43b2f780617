import { BENCH_OPTIONS } from '../bench/plan.js';
import type { CommandSpec } from '../command-spec.js';
import { ADDRESS_OPTION, FORMAT_OPTION, TIMEOUT_OPTION } from '../options.js';

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

export const TOOL_COMMANDS: readonly CommandSpec[] = [BENCH];
