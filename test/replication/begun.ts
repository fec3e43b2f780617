import type { AcksPolicy, ClusterId, FailoverPolicy, Index, NodeId, Role, Term } from '../../src/engine.js';
import type { PlacedConfiguration } from '../../src/log/control.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { addToSpans } from '../../src/log/history.js';
import { begin } from '../../src/replication/core.js';
import type { Beginning } from '../../src/replication/core.js';
import type { LinkId, OpenLink, ReplicaState } from '../../src/replication/state.js';
import { frameAfter } from '../node/frames.js';

/** One node of the pure core as a test wants it to begin: what the test does not say is as it is on a calm day. */

export const NOW_MS = 100_000;
export const CLUSTER = 'c' as ClusterId;

/** A node by its letter. */
export function named(letter: string): NodeId {
  return letter as NodeId;
}

export function peerOf(letter: string): { node: NodeId; address: string } {
  return { node: named(letter), address: `${letter}:1` };
}

/** The term that people know by this number. */
export function termOf(count: number): Term {
  return (count * 2 ** 28) as Term;
}

/** A log with an entry for each of these terms. Two logs that begin with the same terms begin with the same bytes. */
export function logOf(terms: readonly number[]): Frame[] {
  const frames: Frame[] = [];
  for (let end: LogEnd = EMPTY_LOG; frames.length < terms.length; end = endOf(frames.at(-1)!)) {
    frames.push(frameAfter(end, { term: termOf(terms[frames.length]!) }));
  }
  return frames;
}

/** Who takes part, a letter each, by an entry at an index of a term. */
export function placed(
  members: string,
  other: {
    readonly learners?: string;
    readonly acks?: AcksPolicy;
    readonly failover?: FailoverPolicy;
    readonly at?: readonly [term: number, index: number];
  } = {},
): PlacedConfiguration {
  const [term, index] = other.at ?? [0, 0];
  return {
    members: Array.from(members, peerOf),
    learners: Array.from(other.learners ?? '', peerOf),
    acks: other.acks ?? 'majority',
    failover: other.failover ?? 'auto',
    position: { term: termOf(term), index: index as Index },
  };
}

/** What a node's files hold when it begins. */
export interface Wanted extends Partial<
  Pick<Beginning, 'rules' | 'timing' | 'windows' | 'nowMs' | 'leftOutAt' | 'lastPrimary'>
> {
  readonly self: string;
  readonly role?: Role;
  /** The term of the end of its log, unless it is said. */
  readonly term?: Term;
  readonly vote?: string;
  readonly frames?: readonly Frame[];
  /** What the log follows: where a snapshot ends. */
  readonly base?: LogEnd;
  readonly commit?: number;
  readonly configuration?: PlacedConfiguration;
  readonly open?: readonly PlacedConfiguration[];
}

export function nodeOf(wanted: Wanted): ReplicaState {
  const { self, frames = [], base = EMPTY_LOG, configuration = placed('ABC'), open = [], ...rest } = wanted;
  const last = frames.length === 0 ? base : endOf(frames.at(-1)!);
  const spans: Parameters<typeof addToSpans>[0] =
    base.index === 0 ? [] : [{ term: base.term, firstIndex: base.index, isLossy: false }];
  for (const frame of frames) addToSpans(spans, frame);
  return begin({
    leftOutAt: undefined,
    lastPrimary: undefined,
    nowMs: NOW_MS,
    ...rest,
    self: named(self),
    cluster: CLUSTER,
    fsync: 'always',
    role: wanted.role ?? 'backup',
    term: wanted.term ?? last.term,
    vote: wanted.vote === undefined ? undefined : named(wanted.vote),
    configurations: { committed: configuration, open },
    last,
    spans,
    commit: (wanted.commit ?? base.index) as Index,
    address: () => peerOf(self).address,
  });
}

export function linkOf(letter: string, id = 1, isOutgoing = true): OpenLink {
  return { id: id as LinkId, ...peerOf(letter), cluster: CLUSTER, isOutgoing, fsync: 'always' };
}
