import type { Address } from '../../client/address.js';
import { DEFAULT_REQUEST_LIMITS } from '../../protocol/limits.js';
import { UsageError } from '../exit.js';
import type { GivenOptions, OptionSpec } from '../options.js';
import { readInteger, readSecondsMs, readServerAddress, readTimeoutMs } from '../options.js';
import { parseBytes, shortBytes } from '../quantity.js';

/** What is to be measured. */
export interface BenchPlan {
  readonly address: Address;
  readonly clients: number;
  /** Requests of one client under way at once. */
  readonly pipeline: number;
  readonly valueBytesMin: number;
  readonly valueBytesMax: number;
  readonly keys: number;
  readonly readsPercent: number;
  /** Infinity when only the number of operations ends it. */
  readonly durationMs: number;
  /** Infinity when only the time ends it. */
  readonly operations: number;
  /** Operations that are begun each second, over all clients; undefined: each begins when one before it was answered. */
  readonly ratePerSecond: number | undefined;
  readonly prefix: string;
  readonly seed: number;
  /** How long the server may owe replies and send nothing. */
  readonly timeoutMs: number;
  readonly isCleaned: boolean;
}

const CLIENTS_MAX = 10_000;
const PIPELINE_MAX = 10_000;
const KEYS_MAX = 1_000_000_000;
const PREFIX_BYTES_MAX = 1024;
const SECONDS_MAX = 86_400;
const SEED_MAX = 2 ** 31 - 1;
const VALUE_BYTES_MAX = DEFAULT_REQUEST_LIMITS.valueBytesMax;
/** Requests and replies that may be under way at once, as far as values make them up. */
const UNDER_WAY_BYTES_MAX = 1024 * 1024 * 1024;

export const BENCH_OPTIONS: readonly OptionSpec[] = [
  { name: 'clients', operand: 'N', description: 'connections', shownDefault: '50' },
  {
    name: 'pipeline',
    operand: 'N',
    description: 'requests that each of them has under way at once',
    shownDefault: '1',
  },
  { name: 'reads', operand: 'PERCENT', description: 'how many of the operations read', shownDefault: '50' },
  {
    name: 'value-bytes',
    operand: 'SIZE|MIN-MAX',
    description: 'how large values are, such as 1KiB or 64-4KiB',
    shownDefault: '64',
  },
  { name: 'keys', operand: 'N', description: 'how many keys are used', shownDefault: '100000' },
  { name: 'prefix', operand: 'TEXT', description: 'what these keys begin with', shownDefault: 'bench:' },
  {
    name: 'seconds',
    operand: 'SECONDS',
    description: 'how long to go on; 10, unless --operations is given',
  },
  { name: 'operations', operand: 'N', description: 'how many operations to do' },
  {
    name: 'rate',
    operand: 'N',
    description: 'begin so many operations a second, whatever the server does',
    shownDefault: 'as many as it answers',
  },
  { name: 'seed', operand: 'N', description: 'the same one repeats the same operations', shownDefault: '1' },
  { name: 'clean', description: 'delete these keys at the end' },
];

/** @throws UsageError for what cannot be meant. */
export function readBenchPlan(given: GivenOptions, environment: NodeJS.ProcessEnv): BenchPlan {
  const [valueBytesMin, valueBytesMax] = readValueBytes(given.values.get('value-bytes') ?? '64');
  const operations = readInteger(given, 'operations', 1, 1e12);
  const plan: BenchPlan = {
    address: readServerAddress(given, environment),
    clients: readInteger(given, 'clients', 1, CLIENTS_MAX) ?? 50,
    pipeline: readInteger(given, 'pipeline', 1, PIPELINE_MAX) ?? 1,
    valueBytesMin,
    valueBytesMax,
    keys: readInteger(given, 'keys', 1, KEYS_MAX) ?? 100_000,
    readsPercent: readInteger(given, 'reads', 0, 100) ?? 50,
    durationMs: readDurationMs(given, operations),
    operations: operations ?? Infinity,
    ratePerSecond: readInteger(given, 'rate', 1, 10_000_000),
    prefix: readPrefix(given.values.get('prefix') ?? 'bench:'),
    seed: readInteger(given, 'seed', 0, SEED_MAX) ?? 1,
    timeoutMs: readTimeoutMs(given),
    isCleaned: given.flags.has('clean'),
  };
  const underWayBytes = plan.clients * plan.pipeline * plan.valueBytesMax;
  if (underWayBytes <= UNDER_WAY_BYTES_MAX) return plan;
  throw new UsageError(
    `${String(plan.clients * plan.pipeline)} values of ${shortBytes(valueBytesMax)} under way at once are more than ${shortBytes(UNDER_WAY_BYTES_MAX)}: give fewer --clients, less --pipeline, or smaller values`,
  );
}

function readDurationMs(given: GivenOptions, operations: number | undefined): number {
  if (operations !== undefined && !given.values.has('seconds')) return Infinity;
  return readSecondsMs(given, 'seconds', {
    minSeconds: 0,
    maxSeconds: SECONDS_MAX,
    otherwiseSeconds: '10',
  });
}

/** `64` or `64-4KiB`. */
function readValueBytes(text: string): readonly [min: number, max: number] {
  const [least = '', most = least, extra] = text.split('-');
  const [min, max] = [parseBytes(least), parseBytes(most)];
  if (extra === undefined && min !== undefined && max !== undefined && min <= max && max <= VALUE_BYTES_MAX)
    return [min, max];
  const meant = `a size of at most ${shortBytes(VALUE_BYTES_MAX)}, such as 1KiB, or a range of them, such as 64-4KiB`;
  throw new UsageError(`--value-bytes ${JSON.stringify(text)} is not ${meant}`);
}

function readPrefix(text: string): string {
  if (Buffer.byteLength(text) <= PREFIX_BYTES_MAX) return text;
  throw new UsageError(`--prefix is longer than ${String(PREFIX_BYTES_MAX)} bytes`);
}
