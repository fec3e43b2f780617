import type { Clock } from '../clock.js';
import type { ByteRange, ClusterId, FsyncPolicy, Index, NodeId, Refusal, Role } from '../engine.js';
import type { Peer } from '../log/control.js';
import type { Frame, LogEnd } from '../log/frame.js';
import type { Message } from '../replication/message.js';
import type { NodeState } from '../storage/node-state.js';
import type { SnapshotHead } from '../storage/snapshot-format.js';
import type { SnapshotTarget } from '../storage/snapshots.js';

/** What the node needs from outside. The files and the network implement these for real; tests put fakes in their place. */

export interface Log {
  /** The last frame that was appended. */
  readonly end: LogEnd;
  /** Grows with every append by the bytes that it took. */
  readonly appendedBytes: number;
  /** Whether a frame of this size can be appended without another segment, behind others that are not appended yet. */
  hasRoomFor(frameBytes: number, behind?: readonly Frame[]): boolean;
  /**
   * Makes sure that the next segment is there when it is needed.
   *
   * @throws an error whose name is `DiskFull`; nothing was written then, and it may be tried again.
   */
  makeReady(): Promise<void>;
  /**
   * Makes room for a frame of this size, so that its append cannot fail for want of room.
   *
   * @throws an error whose name is `DiskFull`; nothing was written then, and it may be tried again.
   */
  reserve(frameBytes: number): Promise<void>;
  /**
   * Takes frames that follow the end. They are as safe as the fsync policy says once this resolves, with one write for all
   * that lie in one file. An error whose name is `DiskFull` means that nothing was written; any other is final.
   */
  append(frames: readonly Frame[]): Promise<void>;
  /**
   * As {@link append}, done when it returns: everything else waits meanwhile. False where that takes more than one write, or one that
   * would wait for another: nothing was done then. Any error is final.
   */
  appendNow(frames: readonly Frame[]): boolean;
  /**
   * The frames that follow the entry `after`, where a frame ends: as many as fit into `bytesMax`, and at least one. Their bytes are
   * the caller's. `trimmed` when the log reaches back no further than behind it; empty at the end.
   */
  read(after: Index, bytesMax: number): Promise<readonly Frame[] | 'trimmed'>;
  /**
   * Cuts the log behind `end`, where a frame ends, and keeps what is cut in a file of its own beside the data.
   * Durable once this resolves with the name of that file. An error whose name is `DiskFull` means that nothing was changed.
   */
  truncate(end: LogEnd): Promise<string>;
  /** Makes everything that was appended durable. */
  sync(): Promise<void>;
  /** Lets go of what nobody needs who has everything up to `index`. */
  removeUpTo(index: Index): Promise<void>;
  /** Lets go of files that are kept for coming entries, for the room that they take. Never rejects. */
  giveUpSpares(): Promise<void>;
}

export interface NodeStates {
  /** Replaces the node state; durable once this resolves. An error whose name is `DiskFull` means that nothing was changed. */
  saveState(state: NodeState): Promise<void>;
}

/** A snapshot that is being written. */
export interface SnapshotOutput {
  start(head: SnapshotHead): void;
  add(key: ByteRange, value: ByteRange): void;
  /** A session, of a snapshot whose head says that there are some. The answers may be kept. */
  addSession(id: number, lowest: number, answers: Int32Array): void;
  /** Whether to wait for `drained` before the walk goes on. */
  readonly backedUp: boolean;
  /** Whether to wait for `drained` before anything changes whose old value would be added first. */
  readonly isFull: boolean;
  drained(): Promise<void>;
  finish(): Promise<void>;
  abandon(): Promise<void>;
}

export interface Snapshots {
  /** What the JSON file holds. */
  readonly current: LogEnd | undefined;
  readonly currentBytes: number;
  /** The log is needed from behind here on. */
  readonly previousIndex: Index;
  /** @param clock - for turns while a long value is written. */
  begin(clock: Clock): Promise<SnapshotOutput>;
  /** Completes a snapshot and puts it in the current one's place. */
  install(output: SnapshotOutput): Promise<void>;
  /** Opens the JSON file as it is now, to be sent to a backup: it stays readable until closed, whatever is installed. */
  openCurrent(): Promise<SnapshotSource | undefined>;
}

/** A snapshot that is sent to a backup. */
export interface SnapshotSource {
  readonly end: LogEnd;
  readonly size: number;
  read(offset: number, bytesMax: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** A snapshot that comes from the primary, written to a file of its own until it is whole. */
export interface Arrival {
  /** How many bytes have arrived. */
  readonly size: number;
  add(bytes: Buffer): Promise<void>;
  /** Checks that it is whole and that it is the map at `end`. Throws when it is not. */
  finish(end: LogEnd): Promise<void>;
  abandon(): Promise<void>;
}

/** What replaces the whole content of a node. */
export interface Replacements<Arriving extends Arrival = Arrival> {
  /** Begins to take a snapshot from the primary. */
  receive(): Promise<Arriving>;
  /**
   * Puts a whole arrival in the place of everything that this node holds: the JSON file, the log, which begins behind `end`, and the
   * state. In one step: after a crash it has happened, or it has not. What the log held behind the last entry that is known to be
   * committed is kept in a file of its own. After an error whose name is `DiskFull` it is called again with the same, and goes on.
   */
  replace(arrival: Arriving, end: LogEnd, state: NodeState): Promise<void>;
  /** Shows every entry of the JSON file, and every session, to fill an empty store. */
  load(target: Pick<SnapshotTarget, 'put' | 'session'>): Promise<void>;
  /**
   * Makes a new backup, which has no data, a node of its primary's cluster. After an error whose name is `DiskFull` it is called
   * again with the same, and goes on.
   */
  adopt(cluster: ClusterId, state: NodeState): Promise<void>;
}

/** Who a node says it is when a link is opened. */
export interface PeerIdentity {
  readonly node: NodeId;
  /** Undefined for a new backup that was not added yet. */
  readonly cluster: ClusterId | undefined;
  /** Where others reach it. */
  readonly address: string;
  readonly fsync: FsyncPolicy;
  readonly role: Role;
}

/** A connection between two nodes, from its handshake on. Once it is closed or broken, nothing arrives on it any more. */
export interface Link {
  readonly peer: PeerIdentity;
  /** This node opened it. */
  readonly isOutgoing: boolean;
  /** Hands a message over. The bytes of its frames stay as they are until it is sent. */
  send(message: Message): void;
  close(): void;
}

/** What the network tells the node. */
export interface LinkObserver {
  identity(): PeerIdentity;
  /** Why a node that knocks is not let in; undefined when it may. */
  admit(peer: PeerIdentity): Refusal | undefined;
  up(link: Link): void;
  received(link: Link, message: Message): void;
  down(link: Link): void;
  /** A peer that is to be reached cannot be, for this reason. Told at each attempt that failed. */
  unreachable(peer: Peer, reason: Refusal): void;
}

export interface Network {
  observe(observer: LinkObserver): void;
  /** Keeps one outgoing link to each of these, and to no others: opens it, and opens it again when it breaks. */
  reach(peers: readonly Peer[]): void;
  /** Reaches a node that is not known yet and asks who it is. Answers within a few seconds. */
  identify(address: string): Promise<PeerIdentity | Refusal>;
}
