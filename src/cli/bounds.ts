import { DEFAULT_REQUEST_LIMITS, LARGEST_REQUEST_LIMITS } from '../protocol/limits.js';
import { DEFAULT_SERVER_LIMITS, PAUSE_BYTES } from '../server/limits.js';
import type { ServerLimits } from '../server/limits.js';
import { UsageError } from './exit.js';
import { readBytes, readInteger, readSecondsMs } from './options.js';
import type { GivenOptions, OptionSpec } from './options.js';
import { shortBytes } from './quantity.js';

/** What a server was told about its bounds. */
export interface ServerBounds {
  readonly limits: ServerLimits;
  /** Undefined: as much as there is memory. */
  readonly dataBytesMax: number | undefined;
  /** Undefined: a backup may be read however far it is behind. */
  readonly readsBehindMaxMs: number | undefined;
  readonly sessionIdleMs: number;
}

interface Bound {
  readonly name: string;
  readonly unit: 'bytes' | 'count' | 'seconds';
  readonly description: string;
  readonly min: number;
  readonly max: number;
  readonly otherwise: number | undefined;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const DAY_SECONDS = 86_400;

/** Room for the command and the framing around a key and its value. */
const FRAMING_BYTES = 1024;

const KEY: Bound = {
  name: 'key-bytes-max',
  unit: 'bytes',
  description: 'a key',
  min: 1,
  max: LARGEST_REQUEST_LIMITS.keyBytesMax,
  otherwise: DEFAULT_REQUEST_LIMITS.keyBytesMax,
};
const VALUE: Bound = {
  name: 'value-bytes-max',
  unit: 'bytes',
  description: 'a value',
  min: 1,
  max: LARGEST_REQUEST_LIMITS.valueBytesMax,
  otherwise: DEFAULT_REQUEST_LIMITS.valueBytesMax,
};
const REQUEST: Bound = {
  name: 'request-bytes-max',
  unit: 'bytes',
  description: 'a whole request',
  // Links between nodes begin with a line of up to 1 KiB.
  min: 4 * KIB,
  max: LARGEST_REQUEST_LIMITS.requestBytesMax,
  otherwise: DEFAULT_REQUEST_LIMITS.requestBytesMax,
};
const WORDS: Bound = {
  name: 'request-words-max',
  unit: 'count',
  description: 'words in a request',
  min: 16,
  max: LARGEST_REQUEST_LIMITS.wordsMax,
  otherwise: DEFAULT_REQUEST_LIMITS.wordsMax,
};
const CONNECTIONS: Bound = {
  name: 'connections-max',
  unit: 'count',
  description: 'clients at a time',
  min: 1,
  max: 1_000_000,
  otherwise: DEFAULT_SERVER_LIMITS.connectionsMax,
};
const INCOMPLETE: Bound = {
  name: 'incomplete-request-timeout',
  unit: 'seconds',
  description: 'until a request that was begun has to be complete',
  min: 1,
  max: DAY_SECONDS,
  otherwise: DEFAULT_SERVER_LIMITS.incompleteRequestMs / 1000,
};
const UNREAD: Bound = {
  name: 'unread-reply-bytes-max',
  unit: 'bytes',
  description: 'replies that one client has not read; reading from it pauses at 1MiB',
  min: 2 * PAUSE_BYTES,
  max: GIB,
  otherwise: DEFAULT_SERVER_LIMITS.unreadReplyBytesMax,
};
const BUFFERS: Bound = {
  name: 'buffer-bytes-max',
  unit: 'bytes',
  description: 'all that waits in buffers, over all connections',
  min: 2 * PAUSE_BYTES,
  max: 1024 * GIB,
  otherwise: DEFAULT_SERVER_LIMITS.bufferBytesMax,
};
const DATA: Bound = {
  name: 'data-bytes-max',
  unit: 'bytes',
  description: 'all keys and values; what would grow them past it is refused',
  min: KIB,
  max: 1024 * 1024 * GIB,
  otherwise: undefined,
};

const READS_BEHIND: Bound = {
  name: 'reads-behind-max',
  unit: 'seconds',
  description: 'on a backup: how old what is read may be; past it reads are refused',
  // Less would come and go with the heartbeats.
  min: 3,
  max: DAY_SECONDS,
  otherwise: undefined,
};

const SESSION_IDLE: Bound = {
  name: 'session-idle',
  unit: 'seconds',
  description: 'a session in which nobody writes for so long is ended',
  min: 1,
  max: 30 * DAY_SECONDS,
  otherwise: 3600,
};

const OPERANDS = { bytes: 'SIZE', count: 'N', seconds: 'SECONDS' } as const;

/** The options of a server's bounds, as its help shows them. */
export const BOUND_OPTIONS: readonly OptionSpec[] = [
  KEY,
  VALUE,
  REQUEST,
  WORDS,
  CONNECTIONS,
  INCOMPLETE,
  UNREAD,
  BUFFERS,
  DATA,
  READS_BEHIND,
  SESSION_IDLE,
].map(({ name, unit, description, otherwise }) => ({
  name,
  operand: OPERANDS[unit],
  description,
  section: 'Bounds',
  shownDefault: shown(unit, otherwise),
}));

function shown(unit: Bound['unit'], value: number | undefined): string {
  if (value === undefined) return 'no bound';
  return unit === 'bytes' ? shortBytes(value) : String(value);
}

/** @throws UsageError for a bound out of its range, and for bounds that contradict each other. */
export function readBounds(given: GivenOptions): ServerBounds {
  const bounds: ServerBounds = {
    limits: {
      ...DEFAULT_SERVER_LIMITS,
      request: {
        ...DEFAULT_REQUEST_LIMITS,
        keyBytesMax: sizeOf(given, KEY),
        valueBytesMax: sizeOf(given, VALUE),
        requestBytesMax: sizeOf(given, REQUEST),
        wordsMax: countOf(given, WORDS),
      },
      connectionsMax: countOf(given, CONNECTIONS),
      incompleteRequestMs: secondsMsOf(given, INCOMPLETE),
      unreadReplyBytesMax: sizeOf(given, UNREAD),
      bufferBytesMax: sizeOf(given, BUFFERS),
    },
    dataBytesMax: readBytes(given, DATA.name, DATA.min, DATA.max),
    readsBehindMaxMs: readsBehind(given),
    sessionIdleMs: secondsMsOf(given, SESSION_IDLE),
  };
  checkTogether(bounds.limits);
  return bounds;
}

function readsBehind(given: GivenOptions): number | undefined {
  const { name, min, max } = READS_BEHIND;
  if (!given.values.has(name)) return undefined;
  return readSecondsMs(given, name, { minSeconds: min, maxSeconds: max, otherwiseSeconds: '' });
}

function secondsMsOf(given: GivenOptions, { name, unit, min, max, otherwise }: Bound): number {
  return readSecondsMs(given, name, {
    minSeconds: min,
    maxSeconds: max,
    otherwiseSeconds: shown(unit, otherwise),
  });
}

function sizeOf(given: GivenOptions, { name, min, max, otherwise = max }: Bound): number {
  return readBytes(given, name, min, max) ?? otherwise;
}

function countOf(given: GivenOptions, { name, min, max, otherwise = max }: Bound): number {
  return readInteger(given, name, min, max) ?? otherwise;
}

/** Refuses bounds of which one could never be reached because of another. */
function checkTogether({ request, unreadReplyBytesMax, bufferBytesMax }: ServerLimits): void {
  const { keyBytesMax, valueBytesMax, requestBytesMax } = request;
  const pairBytes = keyBytesMax + valueBytesMax + FRAMING_BYTES;
  if (requestBytesMax < pairBytes) {
    const parts = `${named(KEY, keyBytesMax)} and ${named(VALUE, valueBytesMax)}`;
    throw contradiction(`${parts} do not go into one request`, REQUEST, requestBytesMax, pairBytes);
  }
  if (unreadReplyBytesMax < valueBytesMax + PAUSE_BYTES) {
    const what = `${named(VALUE, valueBytesMax)} cannot be read behind other replies`;
    throw contradiction(what, UNREAD, unreadReplyBytesMax, valueBytesMax + PAUSE_BYTES);
  }
  for (const [bound, value] of [
    [REQUEST, requestBytesMax],
    [UNREAD, unreadReplyBytesMax],
  ] as const) {
    if (bufferBytesMax >= value) continue;
    throw contradiction(
      `${named(bound, value)} is more than all buffers hold`,
      BUFFERS,
      bufferBytesMax,
      value,
    );
  }
}

function named({ name }: Bound, value: number): string {
  return `--${name} ${shortBytes(value)}`;
}

/** Both ways out: the bound that is in the way, or what does not fit into it. */
function contradiction(what: string, bound: Bound, value: number, needed: number): UsageError {
  const raise = `give --${bound.name} ${shortBytes(needed)} or more`;
  return new UsageError(`${what} with ${named(bound, value)}: ${raise}, or make the other smaller`);
}
