import { DEFAULT_ADDRESS, parseAddress } from '../client/address.js';
import type { Address } from '../client/address.js';
import type { AcksPolicy, FailoverPolicy, FsyncPolicy, Role } from '../engine.js';
import type { ServerLimits } from '../server/limits.js';
import { UsageError } from './exit.js';
import { parseBytes, shortBytes } from './quantity.js';

/** One option as the command line and its help know it. */
export interface OptionSpec {
  readonly name: string;
  /** What stands for the option's value in the help; a flag has none. */
  readonly operand?: string;
  /** The command makes no sense without it; the usage line shows it. */
  readonly isRequired?: true;
  readonly description: string;
  /** The default as the help shows it. */
  readonly shownDefault?: string;
  /** Under which heading the help shows it, when not among the others. */
  readonly section?: string;
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const FSYNC_POLICIES = ['always', 'everysec', 'off'] as const satisfies readonly FsyncPolicy[];
export const ACKS_POLICIES = ['majority', 'all', '0'] as const satisfies readonly AcksPolicy[];
export const FAILOVER_POLICIES = ['manual', 'auto'] as const satisfies readonly FailoverPolicy[];
export const ROLES = ['primary', 'backup'] as const satisfies readonly Role[];
export const FORMATS = ['text', 'json'] as const;
export type Format = (typeof FORMATS)[number];

/** What `kv server` was told, checked as far as it can be without touching disk or network. */
export interface ServerOptions {
  /** Port 0 lets the system choose. */
  readonly address: Address;
  readonly dbPath: string;
  readonly fsync: FsyncPolicy;
  /** The file with the secret of the cluster. */
  readonly clusterSecretFile: string | undefined;
  readonly allowUnauthenticated: boolean;
  readonly logLevel: LogLevel;
  readonly segmentBytes: number | undefined;
  /** How a new data file starts; what a node knows already wins. Undefined when not given, and so are the others here. */
  readonly role: Role | undefined;
  /** The node that may add this new backup. Given with the role `backup`, and only then. */
  readonly primary: Address | undefined;
  /** A node of the cluster that a new node asks to be added to; what was added already only starts. */
  readonly join: Address | undefined;
  /** Where the other nodes reach this one, when that is not where it listens. */
  readonly advertise: Address | undefined;
  /** A setting of the cluster: on the primary it is changed, elsewhere it waits until the node is one. */
  readonly acks: AcksPolicy | undefined;
  /** As `acks`. Not `auto` together with `acks` `0`. */
  readonly failover: FailoverPolicy | undefined;
  readonly limits: ServerLimits;
  /** Undefined: no bound. */
  readonly dataBytesMax: number | undefined;
  readonly readsBehindMaxMs: number | undefined;
  readonly sessionIdleMs: number;
}

/** What --db-path names when it is not given. */
export const DEFAULT_DB_PATH = 'kv-store.json';
export const SEGMENT_BYTES_MIN = 4096;
export const SEGMENT_BYTES_MAX = 1024 * 1024 * 1024;

const SECONDS_MAX = 86_400;
const TIMEOUT_SECONDS = '5';
/** Changes of who takes part wait for other nodes, and for leases. */
export const CHANGE_TIMEOUT_SECONDS = '15';
/** A new backup fetches all the data. */
export const CATCH_UP_TIMEOUT_SECONDS = '60';

/** The options that were given, by name, and the flags among them. */
export interface GivenOptions {
  readonly values: ReadonlyMap<string, string>;
  readonly flags: ReadonlySet<string>;
}

export const ADDRESS_OPTION: OptionSpec = {
  name: 'address',
  operand: 'HOST:PORT',
  description: 'the server; KV_ADDRESS in the environment says the same',
  shownDefault: DEFAULT_ADDRESS,
};
export const TIMEOUT_OPTION: OptionSpec = {
  name: 'timeout',
  operand: 'SECONDS',
  description: 'how long the command may take, fractions allowed',
  shownDefault: TIMEOUT_SECONDS,
};
export const FORMAT_OPTION: OptionSpec = {
  name: 'format',
  operand: FORMATS.join('|'),
  description: 'how data is printed',
  shownDefault: FORMATS[0],
};
export const PRIMARY_OPTION: OptionSpec = {
  name: 'primary',
  operand: 'HOST:PORT',
  isRequired: true,
  description: 'the primary, which is asked to do it',
};
export const BACKUP_OPTION: OptionSpec = {
  name: 'backup',
  operand: 'HOST:PORT',
  isRequired: true,
  description: 'the backup, as the primary reaches it',
};

/** `--timeout` with another default. */
export function timeoutOption(shownDefault: string): OptionSpec {
  return { ...TIMEOUT_OPTION, shownDefault };
}

/** Understood with every command, and without one. */
export const GENERAL_OPTIONS: readonly OptionSpec[] = [
  { name: 'help', description: 'show what a command does' },
  { name: 'version', description: 'show the version' },
];

/** The address to talk to or, for a server, to listen on: the option, else the environment, else the default. */
export function readAddress(given: GivenOptions, environment: NodeJS.ProcessEnv): Address {
  const fromEnvironment = environment.KV_ADDRESS;
  const option = given.values.get('address');
  if (option !== undefined) return addressOf('--address', option);
  if (fromEnvironment !== undefined && fromEnvironment !== '')
    return addressOf('KV_ADDRESS', fromEnvironment);
  return addressOf('--address', DEFAULT_ADDRESS);
}

/** The address of a server that is there already, so that port 0 makes no sense. */
export function readServerAddress(given: GivenOptions, environment: NodeJS.ProcessEnv): Address {
  return reachable(readAddress(given, environment));
}

/** The address of another node, in an option of this name; undefined when it is not given. */
export function readNodeAddress(given: GivenOptions, name: string): Address | undefined {
  const text = given.values.get(name);
  return text === undefined ? undefined : reachable(addressOf(`--${name}`, text));
}

/** The same for a command that makes no sense without it. */
export function requireNodeAddress(given: GivenOptions, name: string): Address {
  const address = readNodeAddress(given, name);
  if (address === undefined) throw new UsageError(`--${name} HOST:PORT is missing`);
  return address;
}

function reachable(address: Address): Address {
  if (address.port === 0)
    throw new UsageError('nobody can be reached at port 0: name the port of the server');
  return address;
}

export function addressOf(source: string, text: string): Address {
  const address = parseAddress(text);
  if ('invalid' in address) throw new UsageError(`${source}: ${address.invalid}`);
  return address;
}

export function readTimeoutMs(given: GivenOptions, otherwiseSeconds = TIMEOUT_SECONDS): number {
  return readSecondsMs(given, 'timeout', { minSeconds: 0, maxSeconds: SECONDS_MAX, otherwiseSeconds });
}

export interface SecondsRange {
  /** When it is 0, everything above it. */
  readonly minSeconds: number;
  readonly maxSeconds: number;
  readonly otherwiseSeconds: string;
}

/** A length of time that is given in seconds, fractions allowed. */
export function readSecondsMs(given: GivenOptions, name: string, range: SecondsRange): number {
  const { minSeconds, maxSeconds, otherwiseSeconds } = range;
  const text = given.values.get(name) ?? otherwiseSeconds;
  const seconds = /^(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : NaN;
  if (seconds > 0 && seconds >= minSeconds && seconds <= maxSeconds)
    return Math.max(1, Math.round(seconds * 1000));
  const least = minSeconds === 0 ? 'above 0' : `of at least ${String(minSeconds)}`;
  const meant = `a number of seconds ${least} and at most ${String(maxSeconds)}`;
  throw new UsageError(`--${name} ${JSON.stringify(text)} is not ${meant}`);
}

export function readFormat(given: GivenOptions): Format {
  return readChoice(given, 'format', FORMATS, 'text');
}

/** The value of an option that has a few words to choose from. */
export function readChoice<Choice extends string, Otherwise extends Choice | undefined>(
  given: GivenOptions,
  name: string,
  choices: readonly Choice[],
  otherwise: Otherwise,
): Choice | Otherwise {
  const text = given.values.get(name);
  if (text === undefined) return otherwise;
  const choice = choices.find((candidate) => candidate === text);
  if (choice !== undefined) return choice;
  throw new UsageError(`--${name} ${JSON.stringify(text)} is none of ${choices.join(', ')}`);
}

export function readInteger(given: GivenOptions, name: string, min: number, max: number): number | undefined {
  const text = given.values.get(name);
  if (text === undefined) return undefined;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  const range = `a whole number from ${String(min)} to ${String(max)}`;
  throw new UsageError(`--${name} ${JSON.stringify(text)} is not ${range}`);
}

/** A number of bytes, plain or with a unit. */
export function readBytes(given: GivenOptions, name: string, min: number, max: number): number | undefined {
  const text = given.values.get(name);
  if (text === undefined) return undefined;
  const bytes = parseBytes(text) ?? NaN;
  if (bytes >= min && bytes <= max) return bytes;
  const range = `a size from ${shortBytes(min)} to ${shortBytes(max)}`;
  throw new UsageError(`--${name} ${JSON.stringify(text)} is not ${range}, such as 65536 or 64KiB`);
}
