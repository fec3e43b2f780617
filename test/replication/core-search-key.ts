import { hash } from 'node:crypto';
import type { Position } from '../../src/engine.js';
import type { PlacedConfiguration } from '../../src/log/control.js';
import type { Frame } from '../../src/log/frame.js';
import type { Configurations } from '../../src/replication/membership.js';
import { longestLeaseMs } from '../../src/replication/pace.js';
import type { Requirement } from '../../src/replication/quorum.js';
import type { Attempt, Effect, PrimaryOffice, Progress, ReplicaState } from '../../src/replication/state.js';
import { fenceText, messageText, surveyText } from './core-search-messages.js';
import { NAMES, NOW_MS, atOf, frameNames } from './core-search-world.js';
import type { Bounds, Disk, LinkWorld, NodeWorld, Sent, World } from './core-search-world.js';

/**
 * Names worlds from which the same can follow. What nobody compares is left out: which number a link, a probe, an attempt or a round of
 * heartbeats has, only whether it is the current one; and how long ago something was, once every limit for it has passed.
 *
 * A configuration is named by its position: no position holds two entries, and that is checked. How fresh the state of a backup is, and
 * what is said for it, is left out, too: nobody reads from a backup here.
 */

type Part = string | number | undefined;

/** Two worlds with one key are taken for one: 128 bits, so that this never happens by chance. */
export function keyOf(world: World, bounds: Bounds): string {
  const parts = world.nodes.map((node) => nodeKey(node, world, bounds));
  for (const link of world.links) parts.push(linkKey(link, world, bounds));
  const { committed, acknowledged, isLossy } = world.ghost;
  parts.push(committed.join(), String(acknowledged), String(isLossy));
  parts.push(Object.values(world.budget).join());
  return hash('md5', parts.join('|'), 'base64');
}

function nodeKey(node: NodeWorld, world: World, bounds: Bounds): string {
  node.key ??= ownKey(node, bounds);
  const { state, key } = node;
  if (state?.office.kind !== 'primary' || state.office.handOver === undefined) return key;
  const { to, attempt } = state.office.handOver;
  return `${key}>${standing(world.nodes[atOf(to)]?.state?.attempts, attempt)}`;
}

function ownKey(node: NodeWorld, bounds: Bounds): string {
  const { state, disk, unwritten, waiting, reached, order, crashes, told } = node;
  disk.key ??= diskKey(disk);
  const orderKey = order === undefined ? '' : `${order.stopped.join('')}${String(order.isOthersDown)}`;
  const parts: Part[] = [disk.key, frameNames(unwritten), reached.join(''), orderKey, crashes, told];
  if (state !== undefined) parts.push(stateKey(state, bounds), waiting.map(effectKey).join());
  return parts.join(';');
}

function diskKey(disk: Disk): string {
  const { cluster, role, term, vote, configuration, leftOutAt, lastPrimary, commit, base, frames } = disk;
  const parts: Part[] = [cluster, role[0], term, vote, placeOf(configuration), place(leftOutAt), lastPrimary];
  parts.push(commit, Number(disk.divergence !== undefined), place(base), frameNames(frames));
  return parts.join();
}

function place(position: Position | undefined): string {
  return position === undefined ? '' : `${String(position.term)}.${String(position.index)}`;
}

function placeOf(configuration: PlacedConfiguration | undefined): string {
  if (configuration === undefined) return '';
  return `${place(configuration.position)}:${String(configuration.members.length)}`;
}

function configurationsKey(configurations: Configurations | undefined): string {
  if (configurations === undefined) return '';
  return [configurations.committed, ...configurations.open].map(placeOf).join('/');
}

/** The terms of the log are those of its entries, and not named again. */
function stateKey(state: ReplicaState, bounds: Bounds): string {
  const { office, arrival } = state;
  const hasLeases = bounds.nodes > 2;
  const peers = [...state.links.values()].map(({ node }) => node);
  const flags = [state.isConfirmed, state.wantsPlace, state.isReplacing, state.divergence !== undefined];
  const parts: Part[] = [state.role[0], state.term, state.vote, place(state.leftOutAt)];
  parts.push(configurationsKey(state.configurations), state.lastPrimary, place(state.last));
  parts.push(state.durable, state.commit, state.ends.length, flags.map(Number).join(''));
  if (state.contradicted !== undefined) {
    const { by, sinceMs } = state.contradicted;
    parts.push('contradicted', by, age(sinceMs, state.timing.silentMs));
  }
  if (bounds.failover === 'auto') parts.push(electionKey(state));
  if (state.wantsPlace || office.kind === 'backup') parts.push(due(state.askAtMs));
  if (hasLeases) parts.push(due(state.leaseUntilMs), state.leaseHolder);
  parts.push(peers.sort().join(''));
  if (arrival !== undefined) {
    const { end, configuration, offset, isBusy, link } = arrival;
    parts.push('arrival', place(end), placeOf(configuration), offset, Number(isBusy), linkedTo(state, link));
  }
  if (state.attempt !== undefined) parts.push('attempt', attemptKey(state.attempt, state));
  parts.push(office.kind === 'primary' ? officeKey(office, state, hasLeases) : backupKey(state));
  return parts.join();
}

/** What decides when a node acts by itself, or helps another one. */
function electionKey({ patienceMs, votedMs, tickedMs, awakeFromMs, timing }: ReplicaState): string {
  const { electionMinMs, electionMaxMs, heartbeatMs } = timing.automatic;
  const parts: Part[] = [Math.round(patienceMs), age(votedMs, electionMinMs)];
  parts.push(age(tickedMs, electionMinMs), age(awakeFromMs, Math.max(electionMaxMs, 2 * heartbeatMs)));
  return parts.join('.');
}

function linkedTo(state: ReplicaState, link: PrimaryLink): string {
  if (link === undefined) return '';
  return state.links.get(link)?.node ?? 'old';
}

type PrimaryLink = Progress['link'];

function backupKey(state: ReplicaState): string {
  const { office, timing } = state;
  if (office.kind === 'primary') return '';
  const { primary, isPrimaryServing, isSilent, matched, verified, link, wantsSnapshot } = office;
  const heard = age(office.heardMs, Math.max(timing.silentMs, timing.answerMs));
  const parts: Part[] = [primary?.node, Number(isPrimaryServing), Number(isSilent), matched, verified];
  parts.push(linkedTo(state, link), heard, Number(wantsSnapshot));
  return parts.join();
}

function officeKey(office: PrimaryOffice, state: ReplicaState, hasLeases: boolean): string {
  const { handOver, leave, promotion, pending } = office;
  const ranges = office.ranges.map(({ last, needs, isWhole }) =>
    [last, needsKey(needs), Number(isWhole)].join('~'),
  );
  const parts: Part[] = [office.opening, Number(office.isServing), ranges.join('&'), needsKey(office.needs)];
  parts.push(due(office.heartbeatDueMs));
  if (pending !== undefined) {
    const { command, index, kind, removed, deadlineMs } = pending;
    parts.push('pending', command, index, kind, removed?.node, due(deadlineMs));
  }
  if (handOver !== undefined) parts.push('to', handOver.to, String(handOver.isReady), due(handOver.untilMs));
  if (leave !== undefined) {
    const { command, untilMs, askedMs, asked } = leave;
    parts.push('leave', command, due(untilMs), age(askedMs, 1000), [...asked].sort().join(''));
  }
  if (promotion !== undefined) parts.push('promoted', due(promotion.deadlineMs));
  for (const [node, progress] of office.progress) parts.push(node, progressKey(progress, state, hasLeases));
  for (const [node, leaving] of office.leaving) {
    const until = leaving.command === undefined ? '' : due(leaving.deadlineMs);
    parts.push('leaving', node, leaving.command, until, age(leaving.toldMs, state.timing.resendMs));
  }
  return parts.join();
}

function needsKey(needs: readonly Requirement[]): string {
  return needs.map(({ share, members }) => `${share}${members.join('')}`).join('+');
}

function progressKey(progress: Progress, state: ReplicaState, hasLeases: boolean): string {
  const { timing } = state;
  const { link, snapshot } = progress;
  const flags = [progress.isReading, progress.isCounted, progress.hasForgotten, progress.wasHeard];
  flags.push(progress.isSilent, progress.isUnreachable);
  const parts: Part[] = [link === undefined ? '' : state.links.has(link) ? 'up' : 'old', progress.state];
  parts.push(progress.match, progress.matchBefore, progress.next, flags.map(Number).join(''));
  parts.push(progress.inFlight.map(({ last }) => last).join('+'));
  parts.push(age(progress.heardMs, Math.max(timing.silentMs, timing.answerMs, 1000)));
  parts.push(age(progress.askedMs, 4 * timing.resendMs));
  if (hasLeases) parts.push(age(progress.leaseFromMs, longestLeaseMs(timing)), progress.leaseMs);
  if (snapshot !== undefined) parts.push('snapshot', place(snapshot.end), snapshot.offset);
  return parts.join('.');
}

function attemptKey(attempt: Attempt, { timing }: ReplicaState): string {
  const { purpose, grant, source } = attempt;
  const limitMs = Math.max(timing.answerMs, timing.handOverMs);
  const parts: Part[] = [purpose.kind, place(attempt.own), attempt.phase, attempt.tries, attempt.term];
  if (purpose.kind === 'elect') parts.push(Number(purpose.isAsked));
  if (purpose.kind === 'promote') parts.push(Number(purpose.othersAreDown), Number(purpose.acceptDataLoss));
  if (purpose.kind === 'remove') parts.push(purpose.peer.node);
  parts.push(age(attempt.startedMs, timing.commandMs), age(attempt.askedMs, timing.resendMs));
  parts.push(attempt.phaseMs > NOW_MS ? due(attempt.phaseMs) : age(attempt.phaseMs, limitMs));
  parts.push([...attempt.peers.keys()].join(''), [...attempt.unreachable].sort().join(''));
  parts.push([...attempt.down].sort().join(''), attempt.handOverFrom);
  for (const [node, answer] of attempt.surveyed) parts.push(node, surveyText(answer));
  for (const [node, answer] of attempt.fenced) parts.push(node, fenceText(answer));
  if (source !== undefined) parts.push(source.node, place(source.last));
  if (grant !== undefined) {
    parts.push(grant.longest, grant.members?.join(''), needsKey(grant.opening), Number(grant.isLossy));
  }
  return parts.join();
}

function linkKey(link: LinkWorld, world: World, bounds: Bounds): string {
  const sides = [0, 1].map((side) => {
    const sender = world.nodes[link.ends[side]!]!;
    const receiver = world.nodes[link.ends[1 - side]!]!;
    const queue = link.queues[side]!.map((sent) => sentKey(sent, sender, receiver, bounds));
    return `${String(link.isUp[side])}<${queue.join('&')}`;
  });
  return `${link.ends.join('')}${sides.join('-')}`;
}

function sentKey(sent: Sent, sender: NodeWorld, receiver: NodeWorld, bounds: Bounds): string {
  const { message } = sent;
  sent.key ??= messageText(message);
  switch (message.kind) {
    case 'heartbeat':
    case 'heartbeat answer':
      if (bounds.nodes < 3) return sent.key;
      return `${sent.key}~${String(message.leaseMs)}~${roundAge(message.kind === 'heartbeat' ? sender : receiver, message.round)}`;
    case 'probe':
      return sent.key + standing(probeOf(sender, receiver), message.probe);
    case 'probe answer':
      return sent.key + standing(probeOf(receiver, sender), message.probe);
    case 'survey':
    case 'fence':
    case 'hand over':
      return sent.key + standing(sender.state?.attempts, message.attempt);
    case 'survey answer':
    case 'fence answer':
    case 'hand over answer':
      return sent.key + standing(receiver.state?.attempts, message.attempt);
    default:
      return sent.key;
  }
}

/** How long ago a primary sent this round; whether it has forgotten it. */
function roundAge({ state }: NodeWorld, round: number): string {
  if (state?.office.kind !== 'primary') return '-';
  const sentMs = state.office.roundsMs.get(round);
  return sentMs === undefined ? '-' : String(age(sentMs, longestLeaseMs(state.timing)));
}

function probeOf({ state }: NodeWorld, { at }: NodeWorld): number | undefined {
  return state?.office.kind === 'primary' ? state.office.progress.get(NAMES[at]!)?.probe : undefined;
}

/** Only the newest one counts. */
function standing(current: number | undefined, said: number): string {
  return current === said ? 'now' : 'old';
}

/** Effects wait only where that is looked at by itself. */
function effectKey(effect: Effect): string {
  return JSON.stringify(effect, (name, value: unknown) => {
    if (name === 'link') return undefined;
    return name === 'frames' ? frameNames(value as readonly Frame[]) : value;
  });
}

/** How long ago; all the same once it is longer than anybody compares it with. */
function age(thenMs: number, limitMs: number): number {
  return Math.min(Math.round(NOW_MS - thenMs), limitMs + 1);
}

/** When it will be; all the same once it is over. */
function due(thenMs: number): number {
  return Math.max(Math.round(thenMs - NOW_MS), -1);
}
