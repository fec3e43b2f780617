import { refusal } from '../engine.js';
import type { Index, Refusal } from '../engine.js';
import { EMPTY_LOG } from '../log/frame.js';
import type { PlacedConfiguration } from '../log/control.js';
import { configurationsAtStart } from '../replication/beginning.js';
import { begin } from '../replication/core.js';
import type { Configurations } from '../replication/membership.js';
import { showPeers } from '../replication/refusals.js';
import { writeObjection } from '../replication/standing.js';
import type { LinkId, ReplicaState } from '../replication/state.js';
import { ApplyLoop } from './apply-loop.js';
import { Feeder } from './feeder.js';
import { FrameCache } from './frame-cache.js';
import { LogWriter } from './log-writer.js';
import type { Link, LinkObserver, Log } from './ports.js';
import { Proposals } from './proposals.js';
import { Replica } from './replica.js';
import type { ReplicaEngineParts } from './replica-engine.js';
import { Snapshotter } from './snapshotter.js';

/** The parts of a running node, put together. */
export interface Assembly {
  readonly replica: Replica;
  readonly proposals: Proposals;
  readonly applying: ApplyLoop;
  readonly writer: LogWriter;
  readonly feeder: Feeder;
  readonly snapshotter: Snapshotter;
  readonly observer: LinkObserver;
  /** Where a new backup's primary is. */
  readonly hint: string | undefined;
  failure(): unknown;
  fail(error: unknown): void;
  /** Why nothing is answered any more; undefined while all is well. */
  refusal(): Refusal | undefined;
  /** Why no write is taken. */
  objection(): Refusal | undefined;
  /** Resolves at the next step of the core. */
  nextStep(): Promise<void>;
  /** Resolves once this node serves or has failed. */
  served(): Promise<void>;
  /** Resolves once every write that was accepted has its outcome. */
  settled(): Promise<void>;
  /** Bytes of the log behind an entry, as far as that is known. */
  bytesBehind(index: Index): number | undefined;
}

export function assemble(parts: ReplicaEngineParts): Assembly {
  const { clock, events, snapshots, store } = parts;
  const hint = parts.state.primaryAddress;
  const log = (): Log => {
    const found = parts.log();
    if (found === undefined) throw new Error('the node has no log yet');
    return found;
  };
  const state = beginning(parts);
  const lengths = new LogLengths(state.last.index, parts.log()?.appendedBytes ?? 0);
  let failure: unknown;
  let waiters: (() => void)[] = [];
  const stepped = (): void => {
    const woken = waiters;
    waiters = [];
    for (const wake of woken) wake();
    // Whatever this node takes for granted may have changed.
    proposals.goOn();
  };
  const nextStep = (): Promise<void> => new Promise((resolve) => waiters.push(resolve));
  const fail = (error: unknown): void => {
    if (failure !== undefined) return;
    failure = error ?? new Error('the node failed');
    replica.stop();
    proposals.lose(state.commit, stopped());
    parts.failed(error);
    stepped();
  };
  const refusalNow = (): Refusal | undefined => (failure === undefined ? undefined : stopped());
  const objection = (): Refusal | undefined => refusalNow() ?? writeObjection(state, clock.nowMs(), hint);
  const cache = new FrameCache(state.last.index);
  const writer = new LogWriter({
    log,
    clock,
    written: (end) => {
      lengths.note(end.index, log().appendedBytes);
      replica.written(end);
    },
    idle: () => {
      proposals.goOn();
    },
    failed: fail,
    full: (isFull) => {
      if (isFull) events.error({}, 'the disk is full: what the primary sends waits until there is room');
      else events.info({}, 'there is room on the disk again');
    },
  });
  const snapshotter: Snapshotter = new Snapshotter({
    store,
    log,
    snapshots,
    clock,
    events,
    logBytes: parts.snapshotLogBytes,
    identity: () => {
      if (state.cluster === undefined) throw new Error('the node belongs to no cluster yet');
      return { cluster: state.cluster, node: state.self };
    },
    neededFrom: () => feeder.neededFrom,
    applied: () => applying.end,
  });
  const applying = new ApplyLoop(
    {
      store,
      cache,
      clock,
      log,
      snapshotIsBehind: () => snapshotter.isBehind,
      snapshotCaughtUp: () => snapshotter.caughtUp(),
      observersOf: (frame) => proposals.observersOf(frame),
      applied: (frame) => {
        proposals.applied(frame);
        snapshotter.writeIfDue();
        stepped();
      },
      failed: fail,
    },
    parts.replayedTo,
  );
  const proposals = new Proposals({
    clock,
    cache,
    reserve: (frameBytes) => writer.reserve(frameBytes),
    waitingBytesMax: parts.waitingBytesMax,
    writeTimeoutMs: parts.writeTimeoutMs,
    objection,
    isHeld: () => state.office.kind === 'primary' && state.office.handOver !== undefined,
    isLogBusy: () => !writer.isIdle,
    tail: () => ({ term: state.term, last: state.last }),
    propose: (frame) => {
      replica.input({ kind: 'propose', frame });
    },
    failed: fail,
    whoIsSilent: () => whoIsSilent(state),
  });
  const feeder: Feeder = new Feeder({
    cache,
    snapshots,
    events,
    log,
    takeSnapshot: () => snapshotter.write(),
    input: (input) => {
      replica.input(input);
    },
  });
  const replica: Replica = new Replica({
    state,
    nodeState: parts.state,
    states: parts.states,
    replacements: parts.replacements,
    network: parts.network,
    clock,
    events,
    cache,
    writer,
    applying,
    feeder,
    log,
    random: () => parts.random(),
    officeChanged: (isPrimary) => {
      if (!isPrimary) proposals.lose(state.commit, objection() ?? stopped());
    },
    reload: async (replace) => {
      // A walk that is under way sees the old content to its end, and none begins before there is the new one.
      for (;;) {
        await snapshotter.idle();
        await store.lock.write();
        if (!snapshotter.isWalking) break;
        store.lock.releaseWrite();
      }
      const hadContent = applying.end.index > 0;
      try {
        await replace();
        store.clear();
        await parts.replacements.load((key, value) => {
          store.put(key, value);
        });
        store.settle();
      } finally {
        store.lock.releaseWrite();
      }
      if (hadContent) parts.replaced();
    },
    stepped,
    failed: fail,
  });
  return {
    replica,
    proposals,
    applying,
    writer,
    feeder,
    snapshotter,
    hint,
    observer: observe(parts, replica, state),
    failure: () => failure,
    fail,
    refusal: refusalNow,
    objection,
    nextStep,
    async served() {
      while (failure === undefined && !(state.office.kind === 'primary' && state.office.isServing)) await nextStep();
      await applying.idle();
    },
    async settled() {
      while (failure === undefined && !proposals.isEmpty) await nextStep();
    },
    bytesBehind: (index) => lengths.behind(index, parts.log()?.appendedBytes ?? 0),
  };
}

function stopped(): Refusal {
  return refusal('INTERNAL', 'this node takes no more requests and stops: look at its log');
}

function whoIsSilent(state: ReplicaState): string {
  if (state.office.kind !== 'primary') return 'nobody';
  const behind = [...state.office.progress.values()].filter(({ match }) => match < state.last.index);
  return showPeers(behind.map(({ peer }) => peer));
}

/** The core's state, from what the files hold. */
function beginning(parts: ReplicaEngineParts): ReplicaState {
  const { state: saved, history, replayedTo, clock, rules, timing, windows } = parts;
  const last = parts.log()?.end ?? EMPTY_LOG;
  const placed = history.controls.flatMap(({ position, entry }): PlacedConfiguration[] =>
    entry.configuration === undefined ? [] : [{ ...entry.configuration, position }],
  );
  const opened = history.controls.findLast(({ entry }) => entry.kind === 'open')?.entry;
  const lastPrimary = opened?.kind === 'open' ? opened.primary : saved.lastPrimary;
  let configurations: Configurations | undefined;
  if (saved.cluster !== undefined) {
    const position = { term: replayedTo.term, index: saved.originIndex };
    const alone = { members: [{ node: saved.node, address: parts.address() }], learners: [], acks: parts.acks ?? 'majority', position };
    configurations = configurationsAtStart(saved.configuration ?? alone, placed, replayedTo);
  }
  return begin({
    self: saved.node,
    cluster: saved.cluster,
    fsync: parts.fsync,
    role: saved.role,
    term: Math.max(saved.term, last.term) as ReplicaState['term'],
    vote: saved.vote,
    isLeftOut: saved.isLeftOut,
    lastPrimary,
    configurations,
    last,
    spans: history.spans,
    commit: replayedTo.index,
    nowMs: clock.nowMs(),
    address: () => parts.address(),
    ...(rules === undefined ? {} : { rules }),
    ...(timing === undefined ? {} : { timing }),
    ...(windows === undefined ? {} : { windows }),
  });
}

/** What the network is told about this node, and tells it. */
function observe(parts: ReplicaEngineParts, replica: Replica, state: ReplicaState): LinkObserver {
  const ids = new Map<Link, LinkId>();
  return {
    identity: () => ({
      node: state.self,
      cluster: state.cluster,
      address: parts.address(),
      fsync: parts.fsync,
      role: state.office.kind,
    }),
    admit(peer) {
      if (state.cluster === undefined) {
        const allowed = parts.state.primaryAddress;
        if (peer.cluster !== undefined && peer.address === allowed) return undefined;
        return refusal('NOT_A_PEER', `this backup waits for its primary at ${allowed ?? 'nowhere'}, and ${peer.address} is another node`);
      }
      if (peer.cluster === state.cluster) return undefined;
      return refusal(
        'WRONG_CLUSTER',
        `${parts.address()} belongs to another cluster than ${peer.address} and has its own data: start it with an empty --db-path`,
      );
    },
    up(link) {
      ids.set(link, replica.linkUp(link));
    },
    received(link, message) {
      const id = ids.get(link);
      if (id !== undefined) replica.input({ kind: 'message', link: id, message });
    },
    down(link) {
      const id = ids.get(link);
      ids.delete(link);
      if (id !== undefined) replica.linkDown(id);
    },
    unreachable(peer) {
      replica.input({ kind: 'unreachable', node: peer.node });
    },
  };
}

const LENGTHS_MAX = 1024;

/** How long the log was at some of its entries, to tell how many bytes a backup is behind. */
class LogLengths {
  readonly #notes: { readonly index: Index; readonly bytes: number }[];

  constructor(index: Index, bytes: number) {
    this.#notes = [{ index, bytes }];
  }

  note(index: Index, bytes: number): void {
    this.#notes.push({ index, bytes });
    // Every other one of the older notes is enough.
    if (this.#notes.length <= LENGTHS_MAX) return;
    const half = LENGTHS_MAX / 2;
    this.#notes.splice(0, half, ...this.#notes.slice(0, half).filter((_, at) => at % 2 === 0));
  }

  behind(index: Index, bytes: number): number | undefined {
    const note = this.#notes.findLast((each) => each.index <= index);
    return note === undefined ? undefined : Math.max(0, bytes - note.bytes);
  }
}
