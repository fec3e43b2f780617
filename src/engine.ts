/**
 * The seam. Everything a front door (the TCP server today; HTTP, gRPC or a console later) may ask of a
 * store, and the errors it is answered with. A front door knows nothing else; a new kind of store is a new
 * room that implements this file.
 *
 * Keys and values are bytes on both sides. What is passed in is borrowed: it is valid until the call
 * returns, and whoever needs it longer copies it.
 */

import { viewOf } from './copying.js';

/** Grows with every change of primary. Below 2^53; the low bits are random, see `log/term.ts`. */
export type Term = number & { readonly term: unique symbol };
/** The place of an entry in the log. The first entry has index 1; 0 is "before any entry". */
export type Index = number & { readonly index: unique symbol };
/** 32 hexadecimal digits, drawn when a data directory is made and never reused. */
export type NodeId = string & { readonly nodeId: unique symbol };
/** 32 hexadecimal digits, shared by the nodes that hold one log. */
export type ClusterId = string & { readonly clusterId: unique symbol };

/** Names one entry of the log. Two positions compare by term first. */
export interface Position {
  readonly term: Term;
  readonly index: Index;
}

/** Bytes `start` (included) to `end` (excluded) of a larger buffer, borrowed for the length of one call. */
export interface ByteRange {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Every code that an answer to a client can carry. Codes are stable; messages may be reworded. */
export const ERROR_CODES = [
  'SYNTAX',
  'UNKNOWN_COMMAND',
  'TOO_LARGE',
  'BUSY',
  'MEMORY_FULL',
  'DISK_FULL',
  'NOT_PRIMARY',
  'NO_QUORUM',
  'UNCONFIRMED',
  'NOT_A_PEER',
  'ALREADY_MEMBER',
  'NOT_MEMBER',
  'UNREACHABLE',
  'LAGGING',
  'WRONG_CLUSTER',
  'DIVERGED',
  'SESSION_EXPIRED',
  'INTERNAL',
] as const;
/** One of the codes that an answer to a client can carry. */
export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * Why a request was not done. The message says what happened and what to do, on one line. With the code `NOT_PRIMARY` its
 * first word is the primary's `host:port`, or `unknown`.
 */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

/** A change of the map. All of it takes effect at one position of the log, or none of it. */
export type Operation =
  | { readonly kind: 'put'; readonly key: ByteRange; readonly value: ByteRange }
  /** `pairs` alternates key, value, key, value …; a key that stands twice ends with its last value. */
  | { readonly kind: 'putMany'; readonly pairs: readonly ByteRange[] }
  | { readonly kind: 'delete'; readonly keys: readonly ByteRange[] };

/** Sessions that are open at a time. */
export const SESSIONS_MAX = 10_000;
/** Numbers of one session, from the lowest that its client still waits for, of which the answers are kept. */
export const SESSION_NUMBERS_MAX = 1024;

/**
 * Names a write among those of a session: sent again under the same name it is answered as it was the first time, and not applied
 * again. Invariant: 1 <= lowest <= number < lowest + {@link SESSION_NUMBERS_MAX}, see {@link tagObjection}.
 */
export interface SessionTag {
  /** What {@link Engine.openSession} told. */
  readonly session: number;
  /** Of this write among those of the session, from 1. */
  readonly number: number;
  /** The lowest number whose answer the client still waits for. The answers to those below it are forgotten. */
  readonly lowest: number;
}

/** A value of at least so many bytes lies in memory of its own that is never written to again, and that its sink may keep. */
export const LASTING_BYTES_MIN = 16 * 1024;

/**
 * Receives the answer to each key that was read, in the order asked. The bytes are the store's own, and borrowed for the
 * length of the call unless there are {@link LASTING_BYTES_MIN} of them or more.
 */
export interface ValueSink {
  /** @param view - of the same bytes, where there is one at hand. */
  hit(bytes: Buffer, start: number, end: number, view?: DataView): void;
  miss(): void;
  /** Whether it can take no more. A read of many keys ends then, with `TOO_LARGE`. */
  readonly isFull: boolean;
}

/**
 * Receives the outcome of writes. One observer may have many writes under way: it is told their outcomes in
 * the order in which it made them. Only a refusal that comes during the call to `write` itself belongs to that call,
 * whatever else is under way.
 */
export interface WriteObserver {
  /**
   * Called once for each write: without a refusal when the operation is committed and applied, right
   * after it was applied and before any later operation is. A read made during the call sees the map at exactly
   * that position. `count` is how many keys the operation found (delete) or set (put); of a session that was opened, its id. A write
   * under a session that was applied before is told what it was told then, and changes nothing.
   *
   * With a refusal the operation was not applied by this call; with the code `UNCONFIRMED` it may still take effect. Of what came of
   * the same write of a session when it was sent before, a refusal says nothing.
   */
  written(refusal: Refusal | undefined, count: number): void;
}

/** What came of a read: answered through the sink, or nothing done because the store is locked, or refused. */
export type ReadOutcome = 'answered' | 'wait' | Refusal;

/** Some of the keys that a walk meets. */
export interface ScanPage {
  readonly keys: readonly Buffer[];
  /** Where to go on once this walk has ended, the same in all its pages; 0 when there is nothing left then. */
  readonly cursor: number;
}

/** How far a walk over the keys goes, and how much there is in a page of it. */
export interface ScanBounds {
  /** The walk ends where it has met about this many keys; where many keys were deleted it may meet fewer, or none. */
  readonly keysMax?: number;
  /** A page ends with the key that reaches this, for callers with much to do for each byte. */
  readonly pageKeyBytesMax?: number;
}

/** When a write is safe from a power cut. */
export type FsyncPolicy = 'always' | 'everysec' | 'off';
/** How many members must hold a write durably before it is answered. */
export type AcksPolicy = 'majority' | 'all' | '0';
/** Who makes another primary when this one is lost: a person, or the members themselves. */
export type FailoverPolicy = 'manual' | 'auto';

/** What this engine promises, so that people can read it and tests can assert it. */
export interface Guarantees {
  /** `always`: an answered write survives a power cut. Otherwise it survives the process only. */
  readonly fsync: FsyncPolicy;
  readonly acks: AcksPolicy;
  readonly failover: FailoverPolicy;
  /** A read shows every write that was acknowledged before the read began. */
  readonly linearizableReads: boolean;
}

/** How a member or a learner does, as far as the node knows that is asked. */
export interface MemberStatus {
  readonly node: NodeId;
  /** `host:port` under which the others reach it. */
  readonly address: string;
  readonly role: Role;
  /**
   * `silent`: a member or a learner that has not been heard for a while. `differs`: its state is not that of the others, and it was
   * told to stop. Undefined where this node cannot know.
   */
  readonly state: 'member' | 'learner' | 'silent' | 'differs' | 'forgetful';
  /** What is durable on it, as far as this node knows. */
  readonly acked: Position | undefined;
  /** Entries, and bytes of the log, that it is behind. */
  readonly lag: number | undefined;
  readonly lagBytes: number | undefined;
  /** Since it was last heard. Undefined for this node itself, and where it was not heard yet. */
  readonly silentMs: number | undefined;
}

/** Whether a node accepts writes, or follows the one that does. */
export type Role = 'primary' | 'backup';

/** Whether requests are answered. */
export type Service =
  /** As primary. */
  | 'serving'
  /** A backup: it answers reads with a state that the primary had. */
  | 'following'
  /** A new backup that no primary has added yet. */
  | 'unadopted'
  /** A backup that takes part no more, until it is added again. */
  | 'left-out'
  /** It was the primary, or is to become it, and waits until enough others agree. */
  | 'waiting'
  /** Its data and the primary's disagree where they must not: it answers nothing. */
  | 'diverged';

/** How a node is: what `STATUS` tells. */
export interface Status {
  readonly role: Role;
  readonly service: Service;
  /** What an operator should know or do, on one line; undefined when all is well. */
  readonly advice: string | undefined;
  /** Where the primary is, as far as this node knows. */
  readonly primary: string | undefined;
  /** On a backup: how long its primary has been silent. */
  readonly primarySilentMs: number | undefined;
  /**
   * On a backup: what is read here has everything that was acknowledged until so long ago, and perhaps more. Undefined while that is
   * not known.
   */
  readonly behindMs: number | undefined;
  readonly node: NodeId;
  /** Undefined for a new backup that was not added yet. */
  readonly cluster: ClusterId | undefined;
  readonly term: Term;
  /** The last entry of this node's log. */
  readonly position: Position;
  /** The last entry that is safe. */
  readonly commit: Index;
  /** The last entry that readers see. */
  readonly applied: Index;
  readonly keys: number;
  /** Bytes of all keys and values, without the table's own overhead. */
  readonly dataBytes: number;
  /** The most that this node, as primary, lets them become; undefined without a bound. */
  readonly dataBytesMax: number | undefined;
  /** How many sessions are open. */
  readonly sessions: number;
  /** What the JSON file holds. Undefined until it was written once. */
  readonly snapshot: Position | undefined;
  /** Writes that wait for the log, in bytes. */
  readonly waitingBytes: number;
  readonly guarantees: Guarantees;
  readonly members: readonly MemberStatus[];
}

/** What came of a change of who takes part. */
export interface Reconfigured {
  readonly status: Status;
  /** A promotion: what each member answered; undefined where it did not. */
  readonly found: readonly { readonly address: string; readonly position: Position | undefined }[];
  /** A promotion: the members that take part no more. `ADD_BACKUP` brings them back. */
  readonly leftOut: readonly string[];
  /** A promotion: the primary that handed over. */
  readonly handedOverBy: string | undefined;
  /** A promotion that accepted loss: up to here the data is known, and what was acknowledged behind it is lost. */
  readonly knownUpTo: Position | undefined;
}

/** A change of who takes part, asked for by an operator. */
export type Reconfiguration =
  | { readonly kind: 'addBackup'; readonly address: string }
  | { readonly kind: 'removeBackup'; readonly address: string; readonly backupIsDown: boolean }
  | { readonly kind: 'promote'; readonly othersAreDown: boolean; readonly acceptDataLoss: boolean }
  /** How many members must hold a write before it is answered, from now on. */
  | { readonly kind: 'setAcks'; readonly acks: AcksPolicy }
  /** Who makes another primary, from now on. */
  | { readonly kind: 'setFailover'; readonly failover: FailoverPolicy };

const NO_BYTES = Buffer.alloc(0);
const KEPT_BYTES_MAX = 1024 * 1024;

/** So many keys are looked up, or set, together at the most. */
export const BATCH_KEYS_MAX = 64;

/** Keys that lie in one piece of memory, to be read together: `starts` (included) to `ends` (excluded), each below `count`. */
export class KeyBatch {
  count = 0;
  readonly starts = new Int32Array(BATCH_KEYS_MAX);
  readonly ends = new Int32Array(BATCH_KEYS_MAX);
  #bytes: Buffer = NO_BYTES;
  #view = viewOf(NO_BYTES);

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Of the same bytes. */
  get view(): DataView {
    return this.#view;
  }

  /** Begins anew: the keys to come lie in these bytes. */
  begin(bytes: Buffer): void {
    this.count = 0;
    if (this.#bytes === bytes) return;
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }

  /** Nothing is done with the keys any more: does not keep the memory of a large request from being let go of. */
  end(): void {
    if (this.#bytes.length > KEPT_BYTES_MAX) this.begin(NO_BYTES);
  }
}

/** Keys and their values that lie in one piece of memory, each a put of its own: the values as the keys do, in the order of the keys. */
export class EntryBatch {
  readonly keys = new KeyBatch();
  readonly valueStarts = new Int32Array(BATCH_KEYS_MAX);
  readonly valueEnds = new Int32Array(BATCH_KEYS_MAX);
}

export interface Engine {
  readonly guarantees: Guarantees;

  /** Reads one key in the same turn. On `wait` nothing was done: ask again with {@link readAll}. */
  read(key: ByteRange, sink: ValueSink): ReadOutcome;

  /**
   * The same for several keys, until the sink is full. Anything but `answered` is said of all of them, and nothing was done.
   */
  readEach(keys: KeyBatch, sink: ValueSink): ReadOutcome;

  /**
   * Reads keys at one state of the map, waiting for the lock if it has to, and giving other work a turn in between when there is
   * much to read. The keys are borrowed until `done` is called: once, in the same turn where that is possible. After a refusal the
   * sink may have seen some of them.
   */
  readAll(keys: readonly ByteRange[], sink: ValueSink, done: (refusal?: Refusal) => void): void;

  /**
   * Takes the operation's bytes before it returns, and tells the observer once.
   *
   * @param tag - under a session: with the code `SESSION_EXPIRED` there is no such session (any more), or the answer to this number is
   *   forgotten, and nothing was applied.
   */
  write(operation: Operation, observer: WriteObserver, tag?: SessionTag): void;

  /**
   * Takes as many puts from the first on as can be taken together, and answers how many. None: ask for the first with {@link write},
   * which tells what is in the way. Otherwise the observer is told once, when the last of them was applied or when they are refused: one
   * outcome is that of all.
   */
  putEach(entries: EntryBatch, observer: WriteObserver): number;

  /** Opens a session, and tells the observer its id as the count. `BUSY`: there are {@link SESSIONS_MAX}. */
  openSession(observer: WriteObserver): void;

  /**
   * Walks the keys from a cursor (0 to start) in pages, at least one of them, giving other work a turn between two. A
   * key that is there throughout, from the walk that started at 0 to the one that ends with the cursor 0, is visited
   * exactly once; one that comes or goes meanwhile, at most once for each time that it was there. A cursor means
   * something to the node that gave it, until that node starts again.
   *
   * Ends with a refusal where this node may not answer, or no longer.
   */
  scan(cursor: number, bounds?: ScanBounds): AsyncIterable<ScanPage | Refusal>;

  /** How many keys there are. A read like any other. */
  count(): number | Refusal;

  /** Writes the JSON file now. */
  snapshot(): Promise<Position | Refusal>;

  status(): Status;

  reconfigure(change: Reconfiguration): Promise<Refusal | Reconfigured>;

  /**
   * Before a planned stop: a primary whose members make their own lets one of them take over. Resolves once one has, or none can in a few
   * seconds; at once on any other node.
   */
  handOver(): Promise<void>;

  /** Finishes what was accepted, leaves the files complete and lets go of them. Safe to call twice. */
  close(): Promise<void>;
}

export function refusal(code: ErrorCode, message: string): Refusal {
  return { code, message };
}

/** Why nothing can be written under this tag; undefined when something can. */
export function tagObjection({ session, number, lowest }: SessionTag): Refusal | undefined {
  const areNumbers = [session, number, lowest].every((each) => Number.isSafeInteger(each) && each >= 1);
  if (!areNumbers || lowest > number) {
    const message = 'a session is named by its id, the number of the write in it, from 1, and the lowest';
    return refusal('SYNTAX', `${message} number that is still waited for, which is not above it`);
  }
  if (number - lowest < SESSION_NUMBERS_MAX) return undefined;
  const span = `the write ${String(number)} is more than ${String(SESSION_NUMBERS_MAX - 1)} behind the lowest that is waited for, ${String(lowest)}`;
  return refusal('TOO_LARGE', `${span}: wait for answers first`);
}

/** All the bytes of a buffer. */
export function wholeRange(bytes: Buffer): ByteRange {
  return { bytes, start: 0, end: bytes.length };
}

/** A copy of borrowed bytes, to keep for longer than the call. */
export function copyRange(range: ByteRange): ByteRange {
  return wholeRange(Buffer.from(range.bytes.subarray(range.start, range.end)));
}
