import type { Index, Term } from '../engine.js';
import type {
  Append,
  AppendAnswer,
  FrequentMessage,
  Heartbeat,
  HeartbeatAnswer,
  Message,
} from '../replication/message.js';
import { isDuration, isFrameCount, isWholeNumber } from './message-fields.js';

/** What the head of an append says: how many frames follow it. */
export type AppendHead = Omit<Append, 'frames'> & { readonly frames: number };
export type FrequentHead = AppendHead | AppendAnswer | Heartbeat | HeartbeatAnswer;

/**
 * The forms of heads: JSON, or one of the messages that come with each write, which have every field at its place, so that none is looked
 * up by name. Numbers are IEEE 754 doubles, of which those in JSON are the text, where no width is said, and little endian.
 *
 *     append             flags (1), checksum of previous (4), frames (4), then term, term and index of previous, commit, echoMs
 *     append answer      term, matched, durable, sentMs
 *     heartbeat          flags (1), checksum of last (4), then term, term and index of last, commit, round, leaseMs, echoMs
 *     heartbeat answer   term, round, sentMs, leaseMs
 *
 * Flags: 1 isServing, 2 isMember, 4 for an echoMs, which is 0 where there is none.
 */
export const Form = { json: 0, append: 1, appendAnswer: 2, heartbeat: 3, heartbeatAnswer: 4 } as const;

const NUMBER_BYTES = 8;
const AT_CHECKSUM = 1;
const AT_FRAMES = 5;
const APPEND_AT = 9;
const HEARTBEAT_AT = 5;
const ANSWER_BYTES = 4 * NUMBER_BYTES;
const APPEND_BYTES = APPEND_AT + 5 * NUMBER_BYTES;
const HEARTBEAT_BYTES = HEARTBEAT_AT + 7 * NUMBER_BYTES;
const IS_SERVING = 1;
const IS_MEMBER = 2;
const HAS_ECHO = 4;
const FLAGS = IS_SERVING | IS_MEMBER | HAS_ECHO;

export function isFrequent(message: Message): message is FrequentMessage {
  return formOf(message) !== Form.json;
}

export function formOf({ kind }: Message): number {
  switch (kind) {
    case 'append':
      return Form.append;
    case 'append answer':
      return Form.appendAnswer;
    case 'heartbeat':
      return Form.heartbeat;
    case 'heartbeat answer':
      return Form.heartbeatAnswer;
    default:
      return Form.json;
  }
}

export function frequentHeadBytes({ kind }: FrequentMessage): number {
  if (kind === 'append') return APPEND_BYTES;
  return kind === 'heartbeat' ? HEARTBEAT_BYTES : ANSWER_BYTES;
}

/** Writes the head of a message at a place with room for it. */
export function writeFrequentHead(message: FrequentMessage, target: Buffer, at: number): void {
  switch (message.kind) {
    case 'append': {
      const { term, previous, frames, commit } = message;
      writeStanding(message, target, at);
      target.writeUInt32LE(previous.checksum, at + AT_CHECKSUM);
      target.writeUInt32LE(frames.length, at + AT_FRAMES);
      const echoMs = message.echoMs ?? 0;
      writeNumbers(target, at + APPEND_AT, term, previous.term, previous.index, commit, echoMs);
      break;
    }
    case 'append answer':
      writeNumbers(target, at, message.term, message.matched, message.durable, message.sentMs);
      break;
    case 'heartbeat': {
      const { term, last, commit, round, leaseMs } = message;
      writeStanding(message, target, at);
      target.writeUInt32LE(last.checksum, at + AT_CHECKSUM);
      const echoMs = message.echoMs ?? 0;
      writeNumbers(target, at + HEARTBEAT_AT, term, last.term, last.index, commit, round, leaseMs, echoMs);
      break;
    }
    case 'heartbeat answer':
      writeNumbers(target, at, message.term, message.round, message.sentMs, message.leaseMs);
  }
}

function writeStanding(
  { isServing, isMember, echoMs }: Pick<Heartbeat, 'isServing' | 'isMember' | 'echoMs'>,
  target: Buffer,
  at: number,
): void {
  target[at] =
    (isServing ? IS_SERVING : 0) | (isMember ? IS_MEMBER : 0) | (echoMs === undefined ? 0 : HAS_ECHO);
}

function writeNumbers(target: Buffer, at: number, ...numbers: readonly number[]): void {
  numbers.forEach((number, place) => target.writeDoubleLE(number, at + place * NUMBER_BYTES));
}

/** Reads the head that fills `bytes` from one place to another, or says what is wrong with it. */
export function readFrequentHead(
  form: number,
  bytes: Buffer,
  at: number,
  end: number,
): FrequentHead | string {
  switch (form) {
    case Form.append:
      return end - at === APPEND_BYTES ? readAppend(bytes, at) : WRONG_LENGTH;
    case Form.appendAnswer:
      return end - at === ANSWER_BYTES ? readAppendAnswer(bytes, at) : WRONG_LENGTH;
    case Form.heartbeat:
      return end - at === HEARTBEAT_BYTES ? readHeartbeat(bytes, at) : WRONG_LENGTH;
    case Form.heartbeatAnswer:
      return end - at === ANSWER_BYTES ? readHeartbeatAnswer(bytes, at) : WRONG_LENGTH;
    default:
      return 'there is no head of this form';
  }
}

const WRONG_LENGTH = 'the head is not as long as one of its form';
const WRONG_NUMBER = 'a number of the head is not one of its field';
const WRONG_FLAGS = 'the flags of the head are not ones that there are';

function readAppend(bytes: Buffer, at: number): AppendHead | string {
  const flags = bytes[at] ?? 0;
  const frames = bytes.readUInt32LE(at + AT_FRAMES);
  const term = numberAt(bytes, at + APPEND_AT, 0);
  const previousTerm = numberAt(bytes, at + APPEND_AT, 1);
  const previousIndex = numberAt(bytes, at + APPEND_AT, 2);
  const commit = numberAt(bytes, at + APPEND_AT, 3);
  const echoMs = numberAt(bytes, at + APPEND_AT, 4);
  if (!areFlags(flags, echoMs)) return WRONG_FLAGS;
  if (!areWhole(term, previousTerm, previousIndex, commit) || !isFrameCount(frames)) return WRONG_NUMBER;
  if (!isDuration(echoMs)) return WRONG_NUMBER;
  return {
    kind: 'append',
    term: term as Term,
    previous: {
      term: previousTerm as Term,
      index: previousIndex as Index,
      checksum: bytes.readUInt32LE(at + AT_CHECKSUM),
    },
    frames,
    commit: commit as Index,
    isServing: (flags & IS_SERVING) !== 0,
    isMember: (flags & IS_MEMBER) !== 0,
    echoMs: (flags & HAS_ECHO) === 0 ? undefined : echoMs,
  };
}

function readAppendAnswer(bytes: Buffer, at: number): AppendAnswer | string {
  const term = numberAt(bytes, at, 0);
  const matched = numberAt(bytes, at, 1);
  const durable = numberAt(bytes, at, 2);
  const sentMs = numberAt(bytes, at, 3);
  if (!areWhole(term, matched, durable) || !isDuration(sentMs)) return WRONG_NUMBER;
  return {
    kind: 'append answer',
    term: term as Term,
    matched: matched as Index,
    durable: durable as Index,
    sentMs,
  };
}

function readHeartbeat(bytes: Buffer, at: number): Heartbeat | string {
  const flags = bytes[at] ?? 0;
  const term = numberAt(bytes, at + HEARTBEAT_AT, 0);
  const lastTerm = numberAt(bytes, at + HEARTBEAT_AT, 1);
  const lastIndex = numberAt(bytes, at + HEARTBEAT_AT, 2);
  const commit = numberAt(bytes, at + HEARTBEAT_AT, 3);
  const round = numberAt(bytes, at + HEARTBEAT_AT, 4);
  const leaseMs = numberAt(bytes, at + HEARTBEAT_AT, 5);
  const echoMs = numberAt(bytes, at + HEARTBEAT_AT, 6);
  if (!areFlags(flags, echoMs)) return WRONG_FLAGS;
  if (!areWhole(term, lastTerm, lastIndex, commit, round)) return WRONG_NUMBER;
  if (!isDuration(leaseMs) || !isDuration(echoMs)) return WRONG_NUMBER;
  return {
    kind: 'heartbeat',
    term: term as Term,
    last: {
      term: lastTerm as Term,
      index: lastIndex as Index,
      checksum: bytes.readUInt32LE(at + AT_CHECKSUM),
    },
    commit: commit as Index,
    round,
    isServing: (flags & IS_SERVING) !== 0,
    isMember: (flags & IS_MEMBER) !== 0,
    leaseMs,
    echoMs: (flags & HAS_ECHO) === 0 ? undefined : echoMs,
  };
}

function readHeartbeatAnswer(bytes: Buffer, at: number): HeartbeatAnswer | string {
  const term = numberAt(bytes, at, 0);
  const round = numberAt(bytes, at, 1);
  const sentMs = numberAt(bytes, at, 2);
  const leaseMs = numberAt(bytes, at, 3);
  if (!areWhole(term, round) || !isDuration(sentMs) || !isDuration(leaseMs)) return WRONG_NUMBER;
  return { kind: 'heartbeat answer', term: term as Term, round, sentMs, leaseMs };
}

function numberAt(bytes: Buffer, at: number, place: number): number {
  return bytes.readDoubleLE(at + place * NUMBER_BYTES);
}

function areWhole(...numbers: readonly number[]): boolean {
  return numbers.every(isWholeNumber);
}

function areFlags(flags: number, echoMs: number): boolean {
  return (flags & ~FLAGS) === 0 && ((flags & HAS_ECHO) !== 0 || echoMs === 0);
}
