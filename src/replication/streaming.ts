import type { Index, NodeId } from '../engine.js';
import type { Peer } from '../log/control.js';
import { lastIndexOf, sizeOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import { termAt } from '../log/history.js';
import type { AppendAnswer, ProbeAnswer, SnapshotAnswer } from './message.js';
import { leaseToAskMs, shortestLeaseMs } from './pace.js';
import { holdsLease } from './standing.js';
import type { LinkId, OpenLink, PrimaryOffice, Progress, ReplicaState, Step } from './state.js';
import { configurationInForce, historyOf, knownPeers, linkTo, reach, send, tell } from './turn.js';

/** How the primary feeds its backups. */

/** A network that carries less than this is taken for one that lost something. */
const BYTES_A_MS_LEAST = 256;

/** The last entry that every backup has to which there is a link: none of them asks for it again, or for an older one. */
export function heldByLinked({ office }: ReplicaState): Index {
  let held = Infinity;
  if (office.kind === 'backup') return held as Index;
  for (const { link, match } of office.progress.values())
    if (link !== undefined && match < held) held = match;
  return held as Index;
}

function newProgress(step: Step, peer: Peer): Progress {
  return {
    peer,
    link: undefined,
    state: 'probing',
    match: 0 as Index,
    matchBefore: 0 as Index,
    next: 1 as Index,
    inFlight: [],
    inFlightBytes: 0,
    isReading: false,
    isCounted: false,
    hasForgotten: false,
    heardMs: step.nowMs,
    wasHeard: false,
    isSilent: false,
    isUnreachable: false,
    askedMs: step.nowMs,
    leaseFromMs: -Infinity,
    leaseMs: 0,
    echoMs: undefined,
    commitOwedMs: undefined,
    answeredRound: 0,
    probe: 0,
    snapshot: undefined,
  };
}

/**
 * Feeds everybody whom a configuration names that may last, those included that the newest one leaves out: that one may
 * need them to be committed. And keeps links to whoever is to be told that it leaves.
 */
export function renewProgress(step: Step, office: PrimaryOffice): void {
  const { state } = step;
  const followed = knownPeers(state);
  for (const [node, progress] of office.progress) {
    if (followed.some((peer) => peer.node === node)) continue;
    office.progress.delete(node);
    if (progress.snapshot !== undefined) step.effects.push({ kind: 'stop snapshot', peer: node });
  }
  for (const peer of followed) {
    if (!office.progress.has(peer.node)) office.progress.set(peer.node, newProgress(step, peer));
  }
  const leaving = [...office.leaving.values()].map(({ peer }) => peer);
  reach(step, [...followed, ...leaving.filter(({ node }) => !followed.some((peer) => peer.node === node))]);
  for (const progress of office.progress.values()) connect(step, progress);
}

/** Begins anew on a link: what was sent on an earlier one may be lost. */
export function connect(step: Step, progress: Progress): void {
  const link = linkTo(step.state, progress.peer.node);
  if (link === undefined || link.id === progress.link) return;
  progress.link = link.id;
  progress.matchBefore = progress.match;
  progress.isUnreachable = false;
  progress.echoMs = undefined;
  // Its node may have started anew, with a configuration by which it remembers no more than this; what it then acknowledges may be another.
  progress.leaseMs = Math.min(progress.leaseMs, shortestLeaseMs(step.state.timing));
  const syncs = step.state.fsync !== 'always' || link.fsync === 'always';
  progress.isCounted = syncs && !progress.hasForgotten;
  probe(step, progress);
}

/** It was tried to open a link and nobody was there: its node does not count as reachable until one is up. */
export function noteUnreachable(office: PrimaryOffice, node: NodeId): void {
  const progress = office.progress.get(node);
  if (progress !== undefined && progress.link === undefined) progress.isUnreachable = true;
}

export function disconnect(step: Step, progress: Progress): void {
  progress.link = undefined;
  progress.isReading = false;
  stopSnapshot(step, progress);
  connect(step, progress);
}

export function probe(step: Step, progress: Progress): void {
  const { state, nowMs } = step;
  if (progress.link === undefined) return;
  stopSnapshot(step, progress);
  progress.state = 'probing';
  progress.inFlight = [];
  progress.inFlightBytes = 0;
  progress.isReading = false;
  progress.probe++;
  progress.askedMs = nowMs;
  const history = historyOf(state);
  send(step, progress.link, {
    kind: 'probe',
    term: state.term,
    probe: progress.probe,
    history: { ...history, spans: [...history.spans] },
  });
}

function stopSnapshot(step: Step, progress: Progress): void {
  if (progress.snapshot === undefined) return;
  progress.snapshot = undefined;
  step.effects.push({ kind: 'stop snapshot', peer: progress.peer.node });
}

export function heard(step: Step, progress: Progress): void {
  progress.heardMs = step.nowMs;
  progress.wasHeard = true;
  if (!progress.isSilent) return;
  progress.isSilent = false;
  tell(step, 'info', { node: progress.peer.address }, 'a backup is heard again');
}

function isMember({ state }: Step, node: NodeId): boolean {
  return configurationInForce(state).members.some((member) => member.node === node);
}

export function sendHeartbeat(step: Step, office: PrimaryOffice, progress: Progress): void {
  const { state } = step;
  if (progress.link === undefined) return;
  progress.commitOwedMs = undefined;
  send(step, progress.link, {
    kind: 'heartbeat',
    term: state.term,
    last: state.last,
    commit: state.commit,
    round: office.round,
    isServing: office.isServing,
    isMember: isMember(step, progress.peer.node),
    leaseMs: leaseToAskMs(state, progress.match),
    echoMs: echoFor(step, office, progress),
  });
}

function echoFor({ state, nowMs }: Step, office: PrimaryOffice, progress: Progress): number | undefined {
  return holdsLease(state, office, nowMs) ? progress.echoMs : undefined;
}

/** Asks for more to be read wherever there is more to send and room to send it. */
export function feedAll(step: Step, office: PrimaryOffice): void {
  for (const progress of office.progress.values()) feed(step, progress);
}

export function feed(step: Step, progress: Progress): void {
  const { state } = step;
  if (progress.state !== 'streaming' || progress.link === undefined || progress.isReading) return;
  const { bytes, messages, messageBytes } = state.windows;
  const hasRoom = progress.inFlightBytes < bytes && progress.inFlight.length < messages;
  if (progress.next > state.last.index || !hasRoom) return;
  progress.isReading = true;
  const after = (progress.next - 1) as Index;
  step.effects.push({
    kind: 'feed',
    peer: progress.peer.node,
    link: progress.link,
    after,
    bytesMax: messageBytes,
  });
}

/** Where the frames begin that were read behind an entry. */
export function endBefore(step: Step, frames: readonly Frame[]): LogEnd | undefined {
  const [first] = frames;
  if (first === undefined) return undefined;
  const index = (first.firstIndex - 1) as Index;
  const term = index === 0 ? 0 : termAt(historyOf(step.state), index);
  return term === undefined ? undefined : { term: term as LogEnd['term'], index, checksum: first.previous };
}

export function onFed(
  step: Step,
  office: PrimaryOffice,
  input: { peer: NodeId; link: LinkId; after: Index; frames: readonly Frame[] | 'trimmed' | 'unreadable' },
): void {
  const { state, nowMs } = step;
  const progress = office.progress.get(input.peer);
  if (progress?.link !== input.link || progress.state !== 'streaming' || progress.next !== input.after + 1)
    return;
  progress.isReading = false;
  const { frames } = input;
  if (frames === 'trimmed') {
    beginSnapshot(step, progress);
    return;
  }
  if (frames === 'unreadable') {
    // As if a probe were lost: after a while it is begun anew, and read again.
    progress.state = 'probing';
    progress.inFlight = [];
    progress.inFlightBytes = 0;
    progress.askedMs = nowMs;
    return;
  }
  const previous = endBefore(step, frames);
  const last = frames.at(-1);
  if (previous === undefined || last === undefined) return;
  const { bytes } = sizeOf(frames);
  if (progress.inFlight.length === 0) progress.askedMs = nowMs;
  progress.next = (lastIndexOf(last) + 1) as Index;
  progress.inFlight.push({ last: lastIndexOf(last), bytes });
  progress.inFlightBytes += bytes;
  progress.commitOwedMs = undefined;
  send(step, input.link, {
    kind: 'append',
    term: state.term,
    previous,
    frames,
    commit: state.commit,
    isServing: office.isServing,
    isMember: isMember(step, input.peer),
    echoMs: echoFor(step, office, progress),
  });
  feed(step, progress);
}

export function onProbeAnswer(step: Step, progress: Progress, message: ProbeAnswer): void {
  if (progress.state !== 'probing' || message.probe !== progress.probe) return;
  if (message.wantsSnapshot) {
    beginSnapshot(step, progress);
    return;
  }
  if (message.durable < progress.matchBefore || progress.hasForgotten) {
    loseDisk(step, progress, message.durable);
    return;
  }
  progress.match = Math.max(progress.match, message.durable) as Index;
  // An answer may be older than an acknowledgement that overtook it: what was acknowledged since is not sent again, since
  // nobody would acknowledge it again, and it would fill the window for ever.
  progress.next = (Math.max(progress.match, message.matched) + 1) as Index;
  progress.state = 'streaming';
  feed(step, progress);
}

/** It once said that it has more: its disk forgot, and nothing that it says can be counted on. */
function loseDisk(step: Step, progress: Progress, durable: Index): void {
  progress.isCounted = false;
  // What it has now is told of it, and it is not fed: it must not seem to be as it was.
  progress.match = durable;
  progress.next = (durable + 1) as Index;
  if (progress.hasForgotten) return;
  progress.hasForgotten = true;
  tell(
    step,
    'error',
    { node: progress.peer.address, acknowledged: progress.matchBefore, durable },
    'a backup came back with less than it had acknowledged; it is not counted: remove it, and add it again with an empty directory',
  );
}

export function onAppendAnswer(step: Step, progress: Progress, message: AppendAnswer): void {
  const { state, nowMs } = step;
  noteEcho(progress, message.sentMs);
  const durable = Math.min(message.durable, state.last.index) as Index;
  if (durable <= progress.match) return;
  progress.match = durable;
  progress.askedMs = nowMs;
  while (progress.inFlight[0] !== undefined && progress.inFlight[0].last <= durable) {
    progress.inFlightBytes -= progress.inFlight.shift()?.bytes ?? 0;
  }
  if (progress.next <= durable) {
    progress.next = (durable + 1) as Index;
    // What is being read lies before it, and will not be taken.
    progress.isReading = false;
  }
  feed(step, progress);
}

/** An answer on the link that it is fed on gave this as its time. */
export function noteEcho(progress: Progress, sentMs: number): void {
  progress.echoMs = Math.max(progress.echoMs ?? -Infinity, sentMs);
}

export function beginSnapshot(step: Step, progress: Progress): void {
  if (progress.link === undefined) return;
  progress.state = 'snapshot';
  progress.inFlight = [];
  progress.inFlightBytes = 0;
  progress.isReading = false;
  progress.snapshot = { end: undefined, offset: 0 };
  tell(
    step,
    'info',
    { node: progress.peer.address },
    'the log does not reach back to what a backup has: it is sent a snapshot',
  );
  feedSnapshot(step, progress);
}

function feedSnapshot(step: Step, progress: Progress): void {
  if (progress.link === undefined || progress.snapshot === undefined) return;
  progress.askedMs = step.nowMs;
  const { end, offset } = progress.snapshot;
  step.effects.push({ kind: 'feed snapshot', peer: progress.peer.node, link: progress.link, offset, end });
}

export function onFedSnapshot(
  step: Step,
  office: PrimaryOffice,
  input: { peer: NodeId; link: LinkId; end: LogEnd; offset: number; bytes: Buffer; isLast: boolean },
): void {
  const { state } = step;
  const progress = office.progress.get(input.peer);
  const { configurations } = state;
  if (progress?.link !== input.link || progress.snapshot === undefined || configurations === undefined)
    return;
  const { snapshot } = progress;
  // A newer file, where the one that was begun could not be read any more, comes from its beginning.
  if (input.offset !== snapshot.offset && snapshot.end?.index === input.end.index) return;
  progress.snapshot = { end: input.end, offset: input.offset };
  progress.askedMs = step.nowMs;
  const { end, offset, bytes, isLast } = input;
  const configuration = configurations.committed;
  send(step, input.link, {
    kind: 'snapshot part',
    term: state.term,
    end,
    configuration,
    lossAccepted: state.lossAccepted,
    offset,
    bytes,
    isLast,
  });
}

export function onSnapshotAnswer(step: Step, progress: Progress, message: SnapshotAnswer): void {
  const { snapshot } = progress;
  if (snapshot?.end?.index !== message.end.index) return;
  if (message.isInstalled) {
    probe(step, progress);
    return;
  }
  if (message.offset === snapshot.offset && message.offset > 0) return;
  progress.snapshot = { end: snapshot.end, offset: message.offset };
  feedSnapshot(step, progress);
}

/** Sends again what seems to be lost. */
export function resend(step: Step, progress: Progress): void {
  const { state, nowMs } = step;
  // A large frame takes its time on a slow network, and is not lost for that.
  const patienceMs = 4 * state.timing.resendMs + progress.inFlightBytes / BYTES_A_MS_LEAST;
  if (progress.link === undefined || nowMs - progress.askedMs < patienceMs) return;
  switch (progress.state) {
    case 'probing':
      probe(step, progress);
      break;
    case 'streaming':
      // What it has and had not made durable when it was asked is waited for, too.
      if (progress.match < progress.next - 1) probe(step, progress);
      break;
    case 'snapshot':
      feedSnapshot(step, progress);
  }
}

export function onMismatch(step: Step, link: OpenLink, progress: Progress): void {
  if (progress.link === link.id && progress.state === 'streaming') probe(step, progress);
}
