import type { AcksPolicy, FailoverPolicy, ClusterId, Index, NodeId, Position, Term } from '../engine.js';
import type { Peer, PlacedConfiguration } from '../log/control.js';
import type { LogEnd } from '../log/frame.js';
import type { History, TermSpan } from '../log/history.js';
import type { KnownMemberships, Membership } from '../replication/membership.js';
import type { FrequentMessage, Message } from '../replication/message.js';
import type { PromotionAnswer } from '../replication/promotion.js';

/**
 * What each field of each message may be. Another node is believed in what it says, and not in how: nothing is taken
 * over that was not checked here, and whatever has no check is refused.
 */

/** What a check answers when it refuses. */
export const INVALID: unique symbol = Symbol('invalid');
type Check<T> = (value: unknown) => T | typeof INVALID;
type Checks<T> = { readonly [Name in keyof T]-?: Check<T[Name]> };

/** The bytes of a snapshot's part, as the head of their message names them. */
export interface NamedBytes {
  readonly length: number;
  readonly checksum: number;
}

/** What the head of a message says of one of its fields. */
type InHead<M, Name extends keyof M> = Name extends 'frames'
  ? number
  : Name extends 'bytes'
    ? NamedBytes
    : M[Name];
type HeadOf<M> = { readonly [Name in Exclude<keyof M, 'kind'>]: InHead<M, Name> };

const TEXT_LENGTH_MAX = 16_384;
const ADDRESS_LENGTH_MAX = 300;
const STATE_CHECKSUM_LENGTH_MAX = 64;
const MEMBERS_MAX = 1024;
/** Each start as primary is a term, so that a log that is not cut for long may have many. */
const SPANS_MAX = 32_768;
/** Memberships that are not known to be committed. */
const OPEN_MAX = 1024;
const FRAMES_MAX = 1_048_576;
const UINT32_MAX = 2 ** 32 - 1;

const flag: Check<boolean> = (value) => (typeof value === 'boolean' ? value : INVALID);
const whole: Check<number> = (value) => (isWholeNumber(value) ? value : INVALID);
const uint32: Check<number> = (value) => (isWhole(value, UINT32_MAX) ? value : INVALID);
const frameCount: Check<number> = (value) => (isFrameCount(value) ? value : INVALID);
const duration: Check<number> = (value) => (isDuration(value) ? value : INVALID);
const term = whole as Check<Term>;
const index = whole as Check<Index>;
const text = shortText(TEXT_LENGTH_MAX);
const stateChecksum = shortText(STATE_CHECKSUM_LENGTH_MAX);
const address = shortText(ADDRESS_LENGTH_MAX);
const node: Check<NodeId> = (value) => (isIdentity(value) ? (value as NodeId) : INVALID);
const acks = oneOf<AcksPolicy>('majority', 'all', '0');
const failover = oneOf<FailoverPolicy>('manual', 'auto');

const position = record<Position>({ term, index });
const end = record<LogEnd>({ term, index, checksum: uint32 });
const peer = record<Peer>({ node, address });
const peers = list(peer, MEMBERS_MAX);
const nodes = list(node, MEMBERS_MAX);
const configuration = record<PlacedConfiguration>({
  members: peers,
  learners: peers,
  acks,
  failover,
  position,
});
const span = record<TermSpan>({ term, firstIndex: index, isLossy: flag });
const history = record<History>({ spans: list(span, SPANS_MAX), last: position });
const membership = record<Membership>({ position, members: nodes, acks });
const memberships = record<KnownMemberships>({ committed: membership, open: list(membership, OPEN_MAX) });
const answer = record<PromotionAnswer>({
  node,
  last: position,
  memberships,
  lastPrimary: optional(node),
  isLeftOut: flag,
  isConfirmed: flag,
});
const bytes = record<NamedBytes>({ length: whole, checksum: uint32 });
const role = oneOf('serving', 'opening', 'asking', 'backup');

/** The messages whose heads are JSON. */
type Rare = Exclude<Message, FrequentMessage>;

const FIELDS: {
  readonly [Kind in Rare['kind']]: Checks<HeadOf<Extract<Rare, { readonly kind: Kind }>>>;
} = {
  probe: { term, probe: whole, history },
  'probe answer': { term, probe: whole, matched: index, durable: index, wantsSnapshot: flag },
  mismatch: { term },
  'snapshot part': { term, end, configuration, lossAccepted: flag, offset: whole, bytes, isLast: flag },
  'snapshot answer': { term, end, offset: whole, isInstalled: flag },
  survey: { term, attempt: whole },
  'survey answer': {
    term,
    attempt: whole,
    role,
    answer,
    primary: optional(node),
    primaryAddress: optional(address),
    hearsPrimary: flag,
    wantsPlace: flag,
    isWilling: flag,
    excludedBy: optional(configuration),
    peers,
  },
  fence: { term, attempt: whole, isHandOver: flag, down: nodes },
  'fence answer': {
    term,
    attempt: whole,
    isGranted: flag,
    reason: optional(text),
    waitMs: duration,
    answer,
    alive: nodes,
  },
  fetch: { term, history },
  supply: { term, previous: optional(end), frames: frameCount },
  'take over': { term },
  'hand over': { term, attempt: whole },
  'hand over answer': { term, attempt: whole, isReady: flag, reason: optional(text) },
  'left out': { term, configuration },
  'left out answer': { term },
  'state checksum': { term, end, checksum: stateChecksum },
  'state differs': { term, end, right: stateChecksum, isCertain: flag },
};

/** The fields of a message that were checked. They are typed once its frames or bytes are added. */
export type CheckedHead = Readonly<Record<string, unknown>> & { readonly kind: Rare['kind'] };

/** Checks the head of a message. The answer's own text says what is wrong with it. */
export function checkHead(head: unknown): CheckedHead | string {
  if (!isRecord(head)) return 'the head is no record';
  const { kind, ...fields } = head;
  if (typeof kind !== 'string' || !isKind(kind)) return 'there is no message of this kind';
  const checks: Readonly<Record<string, Check<unknown>>> = FIELDS[kind];
  const checked = checkFields(fields, checks);
  return typeof checked === 'string' ? `${kind}: ${checked}` : { ...checked, kind };
}

/** 32 hexadecimal digits: the identity of a node or of a cluster. */
export function isIdentity(value: unknown): value is NodeId | ClusterId {
  return typeof value === 'string' && /^[0-9a-f]{32}$/.test(value);
}

function isKind(kind: string): kind is Rare['kind'] {
  return Object.hasOwn(FIELDS, kind);
}

function checkFields(
  fields: Readonly<Record<string, unknown>>,
  checks: Readonly<Record<string, Check<unknown>>>,
): Record<string, unknown> | string {
  if (Object.keys(fields).some((name) => !Object.hasOwn(checks, name))) return 'it has a field too many';
  const checked: Record<string, unknown> = {};
  for (const [name, check] of Object.entries(checks)) {
    const value = check(fields[name]);
    if (value === INVALID) return `the field ${name} is missing or malformed`;
    checked[name] = value;
  }
  return checked;
}

function record<T>(checks: Checks<T>): Check<T> {
  return (value) => {
    if (!isRecord(value)) return INVALID;
    const checked = checkFields(value, checks);
    return typeof checked === 'string' ? INVALID : (checked as T);
  };
}

function list<T>(check: Check<T>, lengthMax: number): Check<readonly T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length > lengthMax) return INVALID;
    const checked: T[] = [];
    for (const item of value as readonly unknown[]) {
      const result = check(item);
      if (result === INVALID) return INVALID;
      checked.push(result);
    }
    return checked;
  };
}

/** A field that the encoding leaves out when it is undefined. */
function optional<T>(check: Check<T>): Check<T | undefined> {
  return (value) => (value === undefined ? undefined : check(value));
}

function oneOf<T extends string>(...choices: readonly T[]): Check<T> {
  return (value) => choices.find((choice) => choice === value) ?? INVALID;
}

function shortText(lengthMax: number): Check<string> {
  return (value) => (typeof value === 'string' && value.length <= lengthMax ? value : INVALID);
}

/** A term, an index, or what numbers something. */
export function isWholeNumber(value: unknown): value is number {
  return isWhole(value, Number.MAX_SAFE_INTEGER);
}

export function isFrameCount(value: unknown): value is number {
  return isWhole(value, FRAMES_MAX);
}

/** A time, or a length of one. */
export function isDuration(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function isWhole(value: unknown, max: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
