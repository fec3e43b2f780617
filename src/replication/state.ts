import type {
  ClusterId,
  FsyncPolicy,
  Index,
  NodeId,
  Position,
  Reconfiguration,
  Refusal,
  Role,
  Term,
} from '../engine.js';
import type { Configuration, Peer, PlacedConfiguration } from '../log/control.js';
import type { Frame, LogEnd } from '../log/frame.js';
import type { TermSpan } from '../log/history.js';
import type { OpenRange } from './commit.js';
import type { Configurations } from './membership.js';
import type { FenceAnswer, Message, SurveyAnswer } from './message.js';
import type { PromotionGrant } from './promotion.js';
import type { Requirement } from './quorum.js';
import type { ReplicationRules } from './rules.js';
import type { StateChecks, StateReport } from './state-checks.js';
import type { Timing, Windows } from './timing.js';

/** Names a link to another node while it is up; never used twice. */
export type LinkId = number & { readonly linkId: unique symbol };

export interface OpenLink {
  readonly id: LinkId;
  readonly node: NodeId;
  readonly address: string;
  readonly cluster: ClusterId | undefined;
  readonly isOutgoing: boolean;
  readonly fsync: FsyncPolicy;
}

/** What must survive a crash, and is on disk before anything that follows from it is said. */
export interface DurableState {
  readonly role: Role;
  readonly term: Term;
  readonly vote: NodeId | undefined;
  readonly configuration: PlacedConfiguration;
  readonly leftOutAt: Position | undefined;
  readonly lastPrimary: NodeId | undefined;
  readonly commit: Index;
  /** Why it must not serve, when its state is known to be wrong: that would be the same after a restart. */
  readonly divergence: string | undefined;
  /** As {@link ReplicaState.lossAccepted}. */
  readonly lossAccepted: boolean;
}

/** How the primary stands with one backup. */
export interface Progress {
  readonly peer: Peer;
  link: LinkId | undefined;
  /**
   * `probing`: it is not known what the backup has, a probe is on its way. `streaming`: frames are sent as they
   * come, up to the window. `snapshot`: the log does not reach back to what it has, so it is sent the whole map.
   */
  state: 'probing' | 'streaming' | 'snapshot';
  /** The backup has everything up to here, durably. Invariant: match < next. */
  match: Index;
  /** `match` when its link was opened: less than that after a restart means that its disk has lost something. */
  matchBefore: Index;
  /** The first entry that was not sent. */
  next: Index;
  /** Sent and not acknowledged, oldest first: where each message ends, and its bytes. */
  inFlight: { readonly last: Index; readonly bytes: number }[];
  inFlightBytes: number;
  /** Frames are being read for it. */
  isReading: boolean;
  /** It syncs what this node syncs and has kept what it acknowledged, so what it says it has may be counted. */
  isCounted: boolean;
  /** It came back with less than it had acknowledged. It stays uncounted until it is removed. */
  hasForgotten: boolean;
  /** When it was last heard, or was begun to be waited for. */
  heardMs: number;
  wasHeard: boolean;
  isSilent: boolean;
  /** The last attempt to open a link failed, and none is up. */
  isUnreachable: boolean;
  /** When something was last sent that asks for an answer, and when an answer last moved anything. */
  askedMs: number;
  /** When the newest heartbeat was sent that it has answered. */
  leaseFromMs: number;
  /** How long a lease the backup granted with that answer. */
  leaseMs: number;
  /** The time that its newest answer on this link gave. */
  echoMs: number | undefined;
  /** Since when it is to be told that the commit has moved; undefined when it was told. */
  commitOwedMs: number | undefined;
  answeredRound: number;
  /** Numbers the probes; only the answer to the newest one counts. */
  probe: number;
  /** Of the snapshot that is being sent: which one, and how much has arrived. */
  snapshot: { end: LogEnd | undefined; offset: number } | undefined;
}

/** A change of the configuration that was appended by this primary and is not done. */
export interface PendingChange {
  readonly command: CommandId | undefined;
  readonly index: Index;
  readonly kind: 'add learner' | 'add member' | 'remove' | 'acks' | 'failover';
  readonly removed: Peer | undefined;
  readonly deadlineMs: number;
}

/** A node that is to be told that it takes part no more. */
export interface Leaving {
  readonly peer: Peer;
  readonly command: CommandId | undefined;
  readonly deadlineMs: number;
  toldMs: number;
}

export interface PrimaryOffice {
  readonly kind: 'primary';
  /** The first entry of the term; the primary serves once it is committed. */
  readonly opening: Index;
  isServing: boolean;
  readonly progress: Map<NodeId, Progress>;
  /** What is not committed, from the opening on. */
  ranges: OpenRange[];
  pending: PendingChange | undefined;
  readonly leaving: Map<NodeId, Leaving>;
  /** What a write needs that is appended now. */
  needs: readonly Requirement[];
  round: number;
  readonly roundsMs: Map<number, number>;
  heartbeatDueMs: number;
  handOver: HandingOver | undefined;
  /** It is to let another member take over, and goes on asking until then. */
  leave: Leave | undefined;
  /** The promotion that made this primary, until it is answered. */
  promotion: OpenPromotion | undefined;
  /** What is known of the states of the others. */
  readonly checks: StateChecks;
}

export interface OpenPromotion {
  readonly command: CommandId;
  readonly outcome: CommandOutcome;
  readonly deadlineMs: number;
}

/** Why a primary gives up its office by itself, and until when others are asked to take it over. */
export interface Leave {
  readonly command: CommandId | undefined;
  readonly untilMs: number;
  askedMs: number;
  /** Asked before, in vain. */
  readonly asked: Set<NodeId>;
}

export interface HandingOver {
  readonly to: NodeId;
  readonly attempt: number;
  readonly untilMs: number;
  isReady: boolean;
}

export interface BackupOffice {
  readonly kind: 'backup';
  /** The primary of the current term, once it was heard. */
  primary: Peer | undefined;
  isPrimaryServing: boolean;
  heardMs: number;
  isSilent: boolean;
  /** It was told that this node asks for the office, so that it is told once. */
  hasAsked: boolean;
  /** Committed here, or known to be the same as in the primary's log. What lies behind may still be cut. */
  matched: Index;
  /** Known to be the same as in the primary's log by messages of this term: what may be acknowledged. */
  verified: Index;
  /** Where acknowledgements go. */
  link: LinkId | undefined;
  /** The primary's last entry, as it last said. */
  primaryLast: Index;
  /** It asked for a snapshot that may take the place of what is committed here: an operator accepted a loss. */
  wantsSnapshot: boolean;
  /** What is known of how old the state is that is shown here: two of them, since the later one may not be reached yet. */
  freshness: readonly Freshness[];
}

/** Whoever has everything up to `commit` has everything that was acknowledged before `asOfMs`, by this node's clock. */
export interface Freshness {
  readonly commit: Index;
  readonly asOfMs: number;
}

export interface Finding {
  readonly peer: Peer;
  readonly answer: SurveyAnswer | undefined;
}

/** An attempt to become primary. While it surveys, the node is a backup as before. */
export interface Attempt {
  readonly number: number;
  readonly purpose: Purpose;
  /** What this node had when it began to ask. */
  own: Position;
  phase: 'survey' | 'hand over' | 'fence' | 'fetch';
  readonly startedMs: number;
  phaseMs: number;
  askedMs: number;
  readonly peers: Map<NodeId, Peer>;
  readonly unreachable: Set<NodeId>;
  surveyed: Map<NodeId, SurveyAnswer>;
  fenced: Map<NodeId, FenceAnswer>;
  /** Said to be stopped: nothing is sent to them, and a sign of life ends the attempt. */
  down: Set<NodeId>;
  handOverFrom: NodeId | undefined;
  /** The term that it took, from the fence on. */
  term: Term | undefined;
  /** What this node would have answered before it took the term. */
  grant: PromotionGrant | undefined;
  source: { readonly node: NodeId; readonly last: Position } | undefined;
  tries: number;
}

export type Purpose =
  /** It was the primary and wants its place back. */
  | { readonly kind: 'own place' }
  /** It has heard no primary for a while, and the members make their own; or the primary asked it to take over. */
  | { readonly kind: 'elect'; readonly isAsked: boolean }
  /** It wants nothing but to know: a backup that hears no primary finds out who is, or that it was left out. */
  | { readonly kind: 'look' }
  | {
      readonly kind: 'promote';
      readonly command: CommandId;
      readonly othersAreDown: boolean;
      readonly acceptDataLoss: boolean;
    }
  | { readonly kind: 'remove'; readonly command: CommandId; readonly peer: Peer };

export type CommandId = number & { readonly commandId: unique symbol };

/** Everything that a node knows about its part in the cluster. Changed by `step` alone. */
export interface ReplicaState {
  readonly rules: ReplicationRules;
  readonly timing: Timing;
  readonly windows: Windows;
  readonly self: NodeId;
  readonly fsync: FsyncPolicy;
  /** Where the others reach this node. */
  readonly address: () => string;
  cluster: ClusterId | undefined;
  /** As `DurableState`. */
  role: Role;
  term: Term;
  vote: NodeId | undefined;
  leftOutAt: Position | undefined;
  configurations: Configurations | undefined;
  lastPrimary: NodeId | undefined;
  /** The last entry of the log, on disk or on its way there. */
  last: LogEnd;
  spans: TermSpan[];
  /** Where the newest frames end, oldest first and `last` at the end. What others say of them must agree. */
  ends: LogEnd[];
  durable: Index;
  commit: Index;
  isConfirmed: boolean;
  office: PrimaryOffice | BackupOffice;
  attempt: Attempt | undefined;
  attempts: number;
  /** It was the last primary, as far as it knows, and asks for its place. */
  wantsPlace: boolean;
  /** When to ask next. */
  askAtMs: number;
  /** Grants no fence before then: it heard from a live primary, or it started and may have forgotten one. */
  leaseUntilMs: number;
  leaseHolder: NodeId | undefined;
  /** How long it waits for a primary that it does not hear, before it wants to be one. Drawn anew whenever one is heard. */
  patienceMs: number;
  /**
   * When it last agreed to another node, which may be about to serve. When it started: it may have agreed to one just before, and there may
   * be a primary that it has not heard yet.
   */
  votedMs: number;
  /** When it last looked at the clock. A long time ago: it was paused, and what it did not hear meanwhile proves nothing. */
  tickedMs: number;
  /** When it last found that it had been paused. */
  awakeFromMs: number;
  /** Leases from heartbeats that were not sent after this moment are void: the clock may have stood still since. */
  trustedFromMs: number;
  readonly links: Map<LinkId, OpenLink>;
  reached: readonly Peer[];
  /** The snapshot that arrives. */
  arrival:
    | {
        readonly end: LogEnd;
        readonly configuration: PlacedConfiguration;
        readonly lossAccepted: boolean;
        /** Another node's file of the same position has its entries in another order. */
        readonly from: NodeId;
        link: LinkId;
        offset: number;
        isBusy: boolean;
      }
    | undefined;
  /** The arrival is taking the place of everything: what is durable cannot be told before it has. */
  isReplacing: boolean;
  /** What its own state was at the last marks of the log, oldest first. Those of a content that was replaced are forgotten. */
  stateReports: StateReport[];
  /** Set when its log, or its state, and the primary's disagree where they must not. */
  divergence: string | undefined;
  /**
   * An operator accepted once that data is lost, at or before the end of this log. The entry that tells so may be gone from it, as it is
   * from a log that begins with a snapshot.
   */
  lossAccepted: boolean;
  /** Who claims to be the primary and contradicts what this node holds; undefined when nobody does. */
  contradicted: { readonly by: NodeId; readonly detail: string; readonly sinceMs: number } | undefined;
  /** What was told of refused links, and when, so that it is told once. */
  readonly refused: Map<string, number>;
}

/** What happens to a node. */
export type Input =
  | { readonly kind: 'tick' }
  | { readonly kind: 'link up'; readonly link: OpenLink }
  | { readonly kind: 'link down'; readonly link: LinkId }
  | { readonly kind: 'unreachable'; readonly node: NodeId }
  /** `applied` is how far this node has applied what is committed: all of it when it is left out. */
  | {
      readonly kind: 'message';
      readonly link: LinkId;
      readonly message: Message;
      readonly applied?: Index | undefined;
    }
  /** A frame of operations that follows `last`, sealed in the current term. */
  | { readonly kind: 'propose'; readonly frame: Frame }
  | { readonly kind: 'durable'; readonly index: Index }
  /** What was read for a backup. */
  | {
      readonly kind: 'fed';
      readonly peer: NodeId;
      readonly link: LinkId;
      readonly after: Index;
      readonly frames: readonly Frame[] | 'trimmed' | 'unreadable';
    }
  | {
      readonly kind: 'fed snapshot';
      readonly peer: NodeId;
      readonly link: LinkId;
      readonly end: LogEnd;
      readonly offset: number;
      readonly bytes: Buffer;
      readonly isLast: boolean;
    }
  /** What was read for a node that fetches. */
  | {
      readonly kind: 'supplied';
      readonly link: LinkId;
      readonly term: Term;
      readonly after: Index;
      readonly frames: readonly Frame[] | 'trimmed';
    }
  /** A part of a snapshot was written. */
  | { readonly kind: 'received'; readonly end: LogEnd; readonly offset: number; readonly isWhole: boolean }
  /** A snapshot took the place of everything. */
  | { readonly kind: 'replaced'; readonly end: LogEnd }
  | { readonly kind: 'command'; readonly command: CommandId; readonly change: Change }
  /** This node is to stop: another member should take over before it does. Answered by the step in which nothing is left to wait for. */
  | { readonly kind: 'leave'; readonly command: CommandId }
  | { readonly kind: 'confirm reads' }
  /** What `remind` asked for. It may come more often, and may be left out: each tick does the same. */
  | { readonly kind: 'reminded' }
  /** A snapshot is due here that the others should have of the same position. */
  | { readonly kind: 'mark' }
  /** What the state was at a mark. */
  | { readonly kind: 'state summed'; readonly report: StateReport }
  /** What was counted by the clock up to here is not to be trusted. */
  | { readonly kind: 'clocks parted'; readonly atMs: number };

export type Change =
  Exclude<Reconfiguration, { kind: 'addBackup' }> | { readonly kind: 'addBackup'; readonly peer: Peer };

/** What the node is to do, in this order. */
export type Effect =
  /** Durable before the effects behind it. */
  | { readonly kind: 'persist'; readonly state: DurableState }
  | { readonly kind: 'adopt'; readonly cluster: ClusterId; readonly state: DurableState }
  | { readonly kind: 'send'; readonly link: LinkId; readonly message: Message }
  | { readonly kind: 'close link'; readonly link: LinkId }
  | { readonly kind: 'append'; readonly frames: readonly Frame[] }
  | { readonly kind: 'truncate'; readonly end: LogEnd }
  /** Apply up to here. */
  | { readonly kind: 'commit'; readonly index: Index }
  | {
      readonly kind: 'feed';
      readonly peer: NodeId;
      readonly link: LinkId;
      readonly after: Index;
      readonly bytesMax: number;
    }
  | {
      readonly kind: 'feed snapshot';
      readonly peer: NodeId;
      readonly link: LinkId;
      readonly offset: number;
      readonly end: LogEnd | undefined;
    }
  | { readonly kind: 'stop snapshot'; readonly peer: NodeId }
  | {
      readonly kind: 'supply';
      readonly link: LinkId;
      readonly term: Term;
      readonly after: Index;
      readonly bytesMax: number;
    }
  | {
      readonly kind: 'receive';
      readonly end: LogEnd;
      readonly offset: number;
      readonly bytes: Buffer;
      readonly isLast: boolean;
    }
  | { readonly kind: 'replace'; readonly end: LogEnd; readonly state: DurableState }
  | { readonly kind: 'reach'; readonly peers: readonly Peer[] }
  /** Tell it `reminded` after so long. One that is under way is enough. */
  | { readonly kind: 'remind'; readonly afterMs: number }
  /** It became, or no longer is, the primary: what was proposed and is not committed is unconfirmed. */
  | { readonly kind: 'office'; readonly isPrimary: boolean }
  | { readonly kind: 'answer'; readonly command: CommandId; readonly outcome: Refusal | CommandOutcome }
  | {
      readonly kind: 'event';
      readonly level: 'info' | 'warn' | 'error';
      readonly fields: object;
      readonly message: string;
    };

export interface CommandOutcome {
  /** A promotion: what this node had when it asked the others. */
  readonly own?: Position;
  readonly found: readonly Finding[];
  readonly leftOut: readonly Peer[];
  readonly handedOverBy: Peer | undefined;
  readonly knownUpTo: Position | undefined;
}

/** One step: what is known, the time and chance of this moment, and where its effects go. */
export interface Step {
  readonly state: ReplicaState;
  readonly nowMs: number;
  /** At least 0 and below 1. */
  readonly random: number;
  readonly effects: Effect[];
}

export type { Configuration };
