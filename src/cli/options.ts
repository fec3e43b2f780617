import { DEFAULT_ADDRESS, parseAddress } from '../client/address.js';
import type { Address } from '../client/address.js';
import type { FsyncPolicy } from '../engine.js';
import { UsageError } from './exit.js';

/** One option as the command line and its help know it. */
export interface OptionSpec {
  readonly name: string;
  /** What stands for the option's value in the help; a flag has none. */
  readonly operand?: string;
  readonly description: string;
  /** The default as the help shows it. */
  readonly shownDefault?: string;
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const FSYNC_POLICIES = ['always', 'everysec', 'off'] as const satisfies readonly FsyncPolicy[];
export const ROLES = ['primary', 'backup'] as const;
export const FORMATS = ['text', 'json'] as const;
export type Format = (typeof FORMATS)[number];

/** What `kv server` was told, checked as far as it can be without touching disk or network. */
export interface ServerOptions {
  /** Port 0 lets the system choose. */
  readonly address: Address;
  readonly dbPath: string;
  readonly fsync: FsyncPolicy;
  readonly allowUnauthenticated: boolean;
  readonly logLevel: LogLevel;
  readonly segmentBytes: number | undefined;
}

export const SEGMENT_BYTES_MIN = 4096;
export const SEGMENT_BYTES_MAX = 1024 * 1024 * 1024;

const SECONDS_MAX = 86_400;
const TIMEOUT_SECONDS = '5';

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
  const address = readAddress(given, environment);
  if (address.port === 0)
    throw new UsageError('nobody can be reached at port 0: name the port of the server');
  return address;
}

export function addressOf(source: string, text: string): Address {
  const address = parseAddress(text);
  if ('invalid' in address) throw new UsageError(`${source}: ${address.invalid}`);
  return address;
}

export function readTimeoutMs(given: GivenOptions): number {
  const text = given.values.get('timeout') ?? TIMEOUT_SECONDS;
  const seconds = /^(\d+(\.\d*)?|\.\d+)$/.test(text) ? Number(text) : NaN;
  if (seconds > 0 && seconds <= SECONDS_MAX) return Math.max(1, Math.round(seconds * 1000));
  const range = `a number of seconds above 0 and at most ${String(SECONDS_MAX)}`;
  throw new UsageError(`--timeout ${JSON.stringify(text)} is not ${range}`);
}

export function readFormat(given: GivenOptions): Format {
  return readChoice(given, 'format', FORMATS, 'text');
}

/** The value of an option that has a few words to choose from. */
export function readChoice<Choice extends string>(
  given: GivenOptions,
  name: string,
  choices: readonly Choice[],
  otherwise: Choice,
): Choice {
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
