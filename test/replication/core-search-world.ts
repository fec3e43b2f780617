import type { ClusterId, FailoverPolicy, Index, NodeId, Position, Role, Term } from '../../src/engine.js';
import { controlEntryOf } from '../../src/log/control.js';
import type { Peer, PlacedConfiguration } from '../../src/log/control.js';
import { FrameBuilder } from '../../src/log/entry.js';
import { EMPTY_LOG, endOf, lastIndexOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { addToSpans, positionOf } from '../../src/log/history.js';
import type { TermSpan } from '../../src/log/history.js';
import { committedAtStart, configurationsAtStart } from '../../src/replication/beginning.js';
import { begin } from '../../src/replication/core.js';
import type { Message } from '../../src/replication/message.js';
import type { ReplicationRules } from '../../src/replication/rules.js';
import type { Effect, ReplicaState } from '../../src/replication/state.js';
import type { Timing } from '../../src/replication/timing.js';
import { copyFrame } from '../sim/copy-message.js';

/** A world of a few nodes, small enough that everything that can happen in it is tried. Worlds are never changed, but copied. */

export const NAMES = ['A', 'B', 'C'] as unknown as readonly NodeId[];
export const CLUSTER = 'c' as ClusterId;
/** It is always now; what passes is taken off every time that a node remembers. */
export const NOW_MS = 1_000_000;

/** What a node's files hold. */
export interface Disk {
  readonly cluster: ClusterId | undefined;
  readonly role: Role;
  readonly term: Term;
  readonly vote: NodeId | undefined;
  readonly configuration: PlacedConfiguration | undefined;
  readonly leftOutAt: Position | undefined;
  readonly lastPrimary: NodeId | undefined;
  readonly commit: Index;
  readonly divergence: string | undefined;
  /** What the log follows: where a snapshot ends. */
  readonly base: LogEnd;
  readonly frames: readonly Frame[];
  /** Kept once it was asked for. */
  key?: string | undefined;
}

/** An operator who waits for the answer to a command. */
export interface Order {
  /** These are stopped, by the operator's word, and stay so until the answer. */
  readonly stopped: readonly number[];
  readonly isOthersDown: boolean;
}

export interface NodeWorld {
  readonly at: number;
  /** Undefined while its process does not run. */
  readonly state: ReplicaState | undefined;
  readonly disk: Disk;
  /** Appended and not durable. */
  readonly unwritten: readonly Frame[];
  /** What waits behind something that is being made durable, which stands first. */
  readonly waiting: readonly Effect[];
  readonly reached: readonly NodeId[];
  readonly order: Order | undefined;
  /** Crashes until now. */
  readonly crashes: number;
  /** The highest term that it told anybody. */
  readonly told: number;
  /** Kept once it was asked for. */
  key?: string | undefined;
}

/** A message on its way. */
export interface Sent {
  readonly message: Message;
  key?: string | undefined;
}

/** The link of two nodes, the one with the smaller number first. */
export interface LinkWorld {
  readonly id: number;
  readonly ends: readonly [number, number];
  /** Whether each of the two has it. */
  readonly isUp: readonly [boolean, boolean];
  /** What is on its way from each of the two. */
  readonly queues: readonly [readonly Sent[], readonly Sent[]];
}

/** What is known of the past. */
export interface Ghost {
  /** By index, the entry that was committed there: its term and checksum. */
  readonly committed: readonly (string | undefined)[];
  /** The last entry that a client was answered for, or may have read. */
  readonly acknowledged: number;
  /** An operator accepted that data is lost. */
  readonly isLossy: boolean;
  /** Which life of which node held each term as primary. */
  readonly holders: ReadonlyMap<number, string>;
}

/** How much more may happen of each kind. */
export interface Budget {
  readonly writes: number;
  readonly crashes: number;
  readonly ticks: number;
  readonly drops: number;
  readonly duplicates: number;
  readonly overtakings: number;
  readonly breaks: number;
  /** A log that no longer reaches back. */
  readonly trims: number;
  readonly orders: number;
}

export interface World {
  readonly nodes: readonly NodeWorld[];
  readonly links: readonly LinkWorld[];
  readonly ghost: Ghost;
  readonly budget: Budget;
}

export type OrderName =
  | 'leave'
  | 'set failover'
  | 'promote'
  | 'others are down'
  | 'accept loss'
  | 'add'
  | 'remove'
  | 'backup is down';

export interface Bounds {
  /** So many of the nodes are members at first; all when it is not said. */
  readonly members?: number;
  readonly nodes: number;
  readonly budget: Budget;
  readonly orders: readonly OrderName[];
  /** To which nodes these things happen; to all when it is not said. */
  readonly only?: Partial<Record<keyof Budget, readonly number[]>>;
  /** What waits on a link at most; what is sent beyond that is lost. */
  readonly inFlightMax: number;
  /** Messages that arrive as soon as nothing is in front of them. */
  readonly prompt: ReadonlySet<Message['kind']>;
  /** A crash is seen by everybody at once; otherwise what was sent before may still arrive. */
  readonly areCrashesSeen: boolean;
  /** Links are up as soon as somebody wants them. */
  readonly areLinksPrompt: boolean;
  /** What is appended is durable at once. */
  readonly isDiskPrompt: boolean;
  /** What has to be durable takes its time, and other things happen meanwhile. Otherwise a crash before or after it is tried. */
  readonly isDiskSlow: boolean;
  /** Nodes crash before or behind everything that one event brings, and not in the midst of it. */
  readonly isCrashWhole?: boolean;
  /** A frame a message. */
  readonly oneByOne: boolean;
  /** How long it may be from one tick to the next. Clocks of different nodes go their own ways, unless leases are looked at. */
  readonly ticksMs: readonly number[];
  /** All clocks go alike. */
  readonly isClockShared: boolean;
  /** Who makes another primary: a person, unless it is said. Where the members do, they look at the clock all the while that time passes. */
  readonly failover?: FailoverPolicy;
  readonly termsMax: number;
  readonly timing: Timing;
  readonly rules?: Partial<ReplicationRules>;
}

export function addressOf(node: NodeId): string {
  return `${node}:1`;
}

export function peerOf(at: number): Peer {
  const node = NAMES[at]!;
  return { node, address: addressOf(node) };
}

export function atOf(node: NodeId): number {
  return NAMES.indexOf(node);
}

type NamedFrame = Frame & { readonly name: string; readonly isWrite: boolean };

const frames = new Map<string, NamedFrame>();

/** The one copy of a frame, in as little memory as it needs. */
export function interned(frame: Frame): Frame {
  const name = entryName(endOf(frame));
  let known = frames.get(name);
  if (known === undefined) {
    known = { ...copyFrame(frame), name, isWrite: controlEntryOf(frame) === undefined };
    frames.set(name, known);
  }
  return known;
}

/** The place and the content of a frame. In this world all frames are interned. */
export function frameName(frame: Frame): string {
  return (frame as Partial<NamedFrame>).name ?? entryName(endOf(frame));
}

export function isWrite(frame: Frame): boolean {
  return (frame as NamedFrame).isWrite;
}

export function frameNames(named: readonly Frame[]): string {
  return named.length === 0 ? '' : named.map(frameName).join('+');
}

export function entryName({ term, index, checksum }: LogEnd): string {
  return `${String(term)}.${String(index)}.${checksum.toString(36)}`;
}

/** A write of a client that follows `last`. Its content depends on nothing but its place and `mark`. */
export function writeFrame(term: Term, last: LogEnd, mark: string): Frame {
  const builder = new FrameBuilder();
  const value = Buffer.from(`${String(term)}.${String(last.index + 1)}.${mark}`);
  const key = Buffer.from('a');
  builder.append({
    kind: 'put',
    key: { bytes: key, start: 0, end: 1 },
    value: { bytes: value, start: 0, end: value.length },
  });
  return interned(builder.seal(term, (last.index + 1) as Index, last.checksum));
}

/** Everything that a node has appended, durable or not. */
export function logOf(node: NodeWorld): readonly Frame[] {
  return node.unwritten.length === 0 ? node.disk.frames : [...node.disk.frames, ...node.unwritten];
}

export function newDisk(at: number): Disk {
  const isFirst = at === 0;
  return {
    cluster: isFirst ? CLUSTER : undefined,
    role: isFirst ? 'primary' : 'backup',
    term: 0 as Term,
    vote: undefined,
    configuration: undefined,
    leftOutAt: undefined,
    lastPrimary: undefined,
    commit: 0 as Index,
    divergence: undefined,
    base: EMPTY_LOG,
    frames: [],
  };
}

function spansOf({ base, frames: log }: Disk): TermSpan[] {
  const spans: TermSpan[] = [];
  for (const frame of log) addToSpans(spans, frame);
  if (base.index === 0) return spans;
  const first = { term: base.term, firstIndex: base.index, isLossy: false };
  return [first, ...spans.filter(({ term }) => term !== base.term)];
}

/** How far a node that starts takes its log for committed. */
function replayedTo(disk: Disk, self: NodeId): LogEnd {
  const { configuration, leftOutAt, commit } = disk;
  const isCommitted = committedAtStart({ self, configuration, leftOutAt, commit });
  let end = disk.base;
  for (const frame of disk.frames) {
    if (!isCommitted(frame)) break;
    end = endOf(frame);
  }
  return end;
}

/** A node as it starts with what its files hold: as `beginning` of the node makes it. */
export function started(at: number, disk: Disk, bounds: Bounds, rules: ReplicationRules): ReplicaState {
  const self = NAMES[at]!;
  const frame = disk.frames.at(-1);
  const last = frame === undefined ? disk.base : endOf(frame);
  const controls = disk.frames.flatMap((each) => {
    const entry = controlEntryOf(each);
    return entry === undefined ? [] : [{ entry, position: positionOf(each) }];
  });
  const placed = controls.flatMap(({ entry, position }): PlacedConfiguration[] =>
    entry.kind === 'mark' || entry.configuration === undefined ? [] : [{ ...entry.configuration, position }],
  );
  const opened = controls.findLast(({ entry }) => entry.kind === 'open')?.entry;
  const replayed = replayedTo(disk, self);
  const alone = {
    members: [peerOf(at)],
    learners: [],
    acks: 'majority' as const,
    failover: bounds.failover ?? 'manual',
    position: { term: replayed.term, index: 0 as Index },
  } satisfies PlacedConfiguration;
  return begin({
    self,
    cluster: disk.cluster,
    fsync: 'always',
    role: disk.role,
    term: Math.max(disk.term, last.term) as Term,
    vote: disk.vote,
    leftOutAt: disk.leftOutAt,
    lastPrimary: opened?.kind === 'open' ? opened.primary : disk.lastPrimary,
    configurations:
      disk.cluster === undefined
        ? undefined
        : configurationsAtStart(disk.configuration ?? alone, placed, replayed),
    last,
    spans: spansOf(disk),
    commit: replayed.index,
    divergence: disk.divergence,
    nowMs: NOW_MS,
    address: () => addressOf(self),
    rules,
    timing: bounds.timing,
    windows: { bytes: 1_000_000, messages: 8, messageBytes: bounds.oneByOne ? 1 : 1_000_000 },
  });
}

/** The frames behind an entry, as the log hands them out. */
export function readBehind(
  log: readonly Frame[],
  base: LogEnd,
  after: Index,
  oneByOne: boolean,
): readonly Frame[] | 'trimmed' {
  if (after < base.index) return 'trimmed';
  const behind = log.filter((frame) => lastIndexOf(frame) > after);
  return oneByOne ? behind.slice(0, 1) : behind;
}
