import type { Index, NodeId, Term } from '../engine.js';
import type { Peer, PlacedConfiguration } from '../log/control.js';
import type { Frame, LogEnd } from '../log/frame.js';
import type { History } from '../log/history.js';
import type { PromotionAnswer } from './promotion.js';

/**
 * What nodes say to each other. A message may be lost, late, doubled or overtaken by another one; it never reaches
 * another process than the one at the other end of the link that it was sent on.
 *
 * `term` is the sender's own, unless said otherwise. An answer to a message of a past term carries the higher one.
 */
export type Message =
  | Heartbeat
  | HeartbeatAnswer
  | Probe
  | ProbeAnswer
  | Append
  | AppendAnswer
  | Mismatch
  | SnapshotPart
  | SnapshotAnswer
  | Survey
  | SurveyAnswer
  | Fence
  | FenceAnswer
  | Fetch
  | Supply
  | TakeOver
  | HandOver
  | HandOverAnswer
  | LeftOut
  | LeftOutAnswer
  | StateChecksum
  | StateDiffers;

/** Those that come with each write. */
export type FrequentMessage = Append | AppendAnswer | Heartbeat | HeartbeatAnswer;

/** From the primary, each second and when its commit moved and no append has told so: it is there, and how far its log is safe. */
export interface Heartbeat {
  readonly kind: 'heartbeat';
  readonly term: Term;
  /** The end of the sender's log. Whoever has this entry has it with this checksum, or the two logs are not the same. */
  readonly last: LogEnd;
  readonly commit: Index;
  /** Numbers the heartbeats, so that the primary knows which one an answer renews its lease from. */
  readonly round: number;
  /** The first entry of the term has committed. */
  readonly isServing: boolean;
  /** Whether the receiver is a member, by the sender's newest configuration. */
  readonly isMember: boolean;
  /** So long from now the receiver is to agree to no other primary. */
  readonly leaseMs: number;
  /**
   * What the receiver's newest answer on this link gave as its time. Everything that was acknowledged before that moment is within
   * `commit`. Undefined while the sender is not sure that it still is the primary, or has no answer yet.
   */
  readonly echoMs: number | undefined;
}

export interface HeartbeatAnswer {
  readonly kind: 'heartbeat answer';
  readonly term: Term;
  readonly round: number;
  /** The sender's own clock: it means nothing to the receiver, which gives it back. */
  readonly sentMs: number;
  /** The lease that was granted. */
  readonly leaseMs: number;
}

/** Opens the stream to a backup: this is what the primary has. The backup finds what both have in common. */
export interface Probe {
  readonly kind: 'probe';
  readonly term: Term;
  /** Numbers the probes to one backup. */
  readonly probe: number;
  readonly history: History;
}

export interface ProbeAnswer {
  readonly kind: 'probe answer';
  readonly term: Term;
  readonly probe: number;
  /** The last entry that both have. */
  readonly matched: Index;
  /** How much of that is durable on the sender. */
  readonly durable: Index;
  /** Nothing in common is left, or what the sender has must be replaced: it needs the whole map. */
  readonly wantsSnapshot: boolean;
}

/** Frames that follow `previous`. */
export interface Append {
  readonly kind: 'append';
  readonly term: Term;
  readonly previous: LogEnd;
  readonly frames: readonly Frame[];
  readonly commit: Index;
  readonly isServing: boolean;
  readonly isMember: boolean;
  /** As in a heartbeat. */
  readonly echoMs: number | undefined;
}

/** Everything up to `durable` is on the sender's disk and is the same as in the primary's log. */
export interface AppendAnswer {
  readonly kind: 'append answer';
  readonly term: Term;
  /** Up to here the sender has what the primary has, and some of it may not be durable yet. */
  readonly matched: Index;
  readonly durable: Index;
  /** As in the answer to a heartbeat. */
  readonly sentMs: number;
}

/** The sender does not have the entry that an append follows: probe again. */
export interface Mismatch {
  readonly kind: 'mismatch';
  readonly term: Term;
}

/** A piece of the primary's snapshot. */
export interface SnapshotPart {
  readonly kind: 'snapshot part';
  readonly term: Term;
  /** The position of the snapshot. */
  readonly end: LogEnd;
  readonly configuration: PlacedConfiguration;
  /** An operator accepted that data is lost, at or before the end of the sender's log. */
  readonly lossAccepted: boolean;
  readonly offset: number;
  readonly bytes: Buffer;
  readonly isLast: boolean;
}

export interface SnapshotAnswer {
  readonly kind: 'snapshot answer';
  readonly term: Term;
  readonly end: LogEnd;
  /** Everything before this byte has arrived. Less than was sent: go on from here. */
  readonly offset: number;
  /** The snapshot is installed, durably. */
  readonly isInstalled: boolean;
}

/** Asks how a node is, and changes nothing. */
export interface Survey {
  readonly kind: 'survey';
  readonly term: Term;
  /** Numbers the sender's attempts to become primary. */
  readonly attempt: number;
}

export interface SurveyAnswer {
  readonly kind: 'survey answer';
  readonly term: Term;
  readonly attempt: number;
  readonly role: 'serving' | 'opening' | 'asking' | 'backup';
  readonly answer: PromotionAnswer;
  /** The primary that the sender follows, or is. */
  readonly primary: NodeId | undefined;
  readonly primaryAddress: string | undefined;
  /** The sender follows it and has heard it a short while ago. */
  readonly hearsPrimary: boolean;
  /** The sender was the last primary and waits for its place. */
  readonly wantsPlace: boolean;
  /** As far as it can tell there is no primary, and nobody who is about to become one: it would agree to one now. */
  readonly isWilling: boolean;
  /** The sender serves, and this configuration, which is committed, leaves the asker out. */
  readonly excludedBy: PlacedConfiguration | undefined;
  /** Every node that the sender knows of. */
  readonly peers: readonly Peer[];
}

/** Takes a term: whoever answers follows no primary of an earlier one any more. */
export interface Fence {
  readonly kind: 'fence';
  /** The new term. */
  readonly term: Term;
  readonly attempt: number;
  /** The primary agreed to hand over to the sender. */
  readonly isHandOver: boolean;
  /** The operator vouches that these are stopped: the receiver closes its links to them. */
  readonly down: readonly NodeId[];
}

export interface FenceAnswer {
  readonly kind: 'fence answer';
  /** The term asked for when it is granted, otherwise the sender's own. */
  readonly term: Term;
  readonly attempt: number;
  readonly isGranted: boolean;
  /** Why not, for people. */
  readonly reason: string | undefined;
  /** The sender granted a lease to a live primary, and cannot agree before this has passed. */
  readonly waitMs: number;
  readonly answer: PromotionAnswer;
  /** Nodes that were said to be down and are not. */
  readonly alive: readonly NodeId[];
}

/** Asks a node that was fenced for what follows in its log, so that the sender's own becomes as long. */
export interface Fetch {
  readonly kind: 'fetch';
  readonly term: Term;
  readonly history: History;
}

export interface Supply {
  readonly kind: 'supply';
  readonly term: Term;
  /** What they have in common and the frames follow; undefined when the sender's log reaches back no further. */
  readonly previous: LogEnd | undefined;
  readonly frames: readonly Frame[];
}

/** From a primary that is to stop, or was removed: the receiver, which has everything, is to ask for its office. */
export interface TakeOver {
  readonly kind: 'take over';
  readonly term: Term;
}

/** Asks the primary to stop taking writes, to bring the sender up to date and to let it take over. */
export interface HandOver {
  readonly kind: 'hand over';
  readonly term: Term;
  readonly attempt: number;
}

export interface HandOverAnswer {
  readonly kind: 'hand over answer';
  readonly term: Term;
  readonly attempt: number;
  /** The receiver has everything, nothing more comes, and the sender will agree. */
  readonly isReady: boolean;
  readonly reason: string | undefined;
}

/** Tells a node that it takes part no more. */
export interface LeftOut {
  readonly kind: 'left out';
  readonly term: Term;
  readonly configuration: PlacedConfiguration;
}

export interface LeftOutAnswer {
  readonly kind: 'left out answer';
  readonly term: Term;
}

/** From a backup or a learner: what its state was at a mark of the log. */
export interface StateChecksum {
  readonly kind: 'state checksum';
  readonly term: Term;
  readonly end: LogEnd;
  readonly checksum: string;
}

/** Tells a node that its state at a position, which it has reported, is another one than it should be. */
export interface StateDiffers {
  readonly kind: 'state differs';
  readonly term: Term;
  readonly end: LogEnd;
  /** What it should be: what more than half of the members have, or the primary. */
  readonly right: string;
  /** More than half of the members have it. */
  readonly isCertain: boolean;
}
