import { hash } from 'node:crypto';
import type { Frame } from '../../src/log/frame.js';
import type { Message } from '../../src/replication/message.js';
import type {
  Attempt,
  Effect,
  PrimaryOffice,
  Progress,
  ReplicaState,
} from '../../src/replication/state.js';
import { NAMES, NOW_MS, atOf, entryName, frameName } from './core-search-world.js';
import type { Bounds, Disk, LinkWorld, NodeWorld, World } from './core-search-world.js';

/**
 * Names worlds from which the same can follow. What nobody compares is left out: which number a link, a probe, an attempt or a round of
 * heartbeats has, only whether it is the current one; and how long ago something was, once every limit for it has passed.
 */

/** Two worlds with one key are taken for one: 128 bits, so that this never happens by chance. */
export function keyOf(world: World, bounds: Bounds): string {
  const parts = world.nodes.map((node) => nodeKey(node, world, bounds));
  for (const link of world.links) parts.push(linkKey(link, world, bounds));
  const { committed, acknowledged, isLossy } = world.ghost;
  parts.push(committed.join(), String(acknowledged), String(isLossy));
  parts.push(Object.values(world.budget).join());
  return hash('md5', parts.join('|'), 'base64');
}

const nodeKeys = new WeakMap<NodeWorld, string>();

function nodeKey(node: NodeWorld, world: World, bounds: Bounds): string {
  let key = nodeKeys.get(node);
  if (key === undefined) {
    key = ownKey(node, bounds);
    nodeKeys.set(node, key);
  }
  const { state } = node;
  if (state?.office.kind !== 'primary' || state.office.handOver === undefined) return key;
  const { to, attempt } = state.office.handOver;
  return `${key}>${standing(world.nodes[atOf(to)]?.state?.attempts, attempt)}`;
}

function ownKey(node: NodeWorld, bounds: Bounds): string {
  const { state, disk, unwritten, waiting, reached, order, crashes, told } = node;
  const parts = [diskKey(disk), names(unwritten), reached.join(), json(order), String(crashes), String(told)];
  if (state !== undefined) parts.push(stateKey(state, bounds), waiting.map(effectKey).join());
  return parts.join(';');
}

const diskKeys = new WeakMap<Disk, string>();

function diskKey(disk: Disk): string {
  let key = diskKeys.get(disk);
  if (key === undefined) {
    const { frames, base, ...saved } = disk;
    key = `${JSON.stringify(saved)}${entryName(base)}>${names(frames)}`;
    diskKeys.set(disk, key);
  }
  return key;
}

function stateKey(state: ReplicaState, bounds: Bounds): string {
  const { timing, office } = state;
  const hasLeases = bounds.nodes > 2;
  const peers = [...state.links.values()].map(({ node }) => node);
  const flags = [state.isConfirmed, state.wantsPlace, state.isReplacing, state.divergence !== undefined];
  const parts: (string | number | undefined)[] = [
    state.role[0],
    state.term,
    state.vote,
    json(state.leftOutAt),
    json(state.configurations),
    state.lastPrimary,
    `${String(state.last.term)}.${String(state.last.index)}`,
    json(state.spans),
    state.durable,
    state.commit,
    flags.map(Number).join(''),
    state.wantsPlace || office.kind === 'backup' ? due(state.askAtMs) : '',
    hasLeases ? `${due(state.leaseUntilMs)}${String(state.leaseHolder)}` : '',
    peers.sort().join(),
    json(state.arrival && { ...state.arrival, link: 0 }),
    state.attempt === undefined ? '' : attemptKey(state.attempt, state),
  ];
  if (office.kind === 'primary') parts.push(officeKey(office, state, hasLeases));
  else {
    const { primary, isPrimaryServing, isSilent, matched, verified, link } = office;
    const links = link === undefined ? '' : (state.links.get(link)?.node ?? 'old');
    const heard = age(office.heardMs, Math.max(timing.silentMs, timing.answerMs));
    parts.push(primary?.node, Number(isPrimaryServing), Number(isSilent), matched, verified);
    parts.push(links, heard);
  }
  return parts.join(',');
}

function officeKey(office: PrimaryOffice, state: ReplicaState, hasLeases: boolean): string {
  const { handOver, promotion, pending } = office;
  const parts = [
    office.opening,
    Number(office.isServing),
    json(office.ranges),
    json(office.needs),
    pending === undefined ? '' : `${json({ ...pending, deadlineMs: 0 })}${due(pending.deadlineMs)}`,
    due(office.heartbeatDueMs),
    handOver === undefined ? '' : `${handOver.to}${String(handOver.isReady)}${due(handOver.untilMs)}`,
    promotion === undefined ? '' : due(promotion.deadlineMs),
  ];
  for (const [node, progress] of office.progress) parts.push(node, progressKey(progress, state, hasLeases));
  for (const [node, leaving] of office.leaving) {
    const told = age(leaving.toldMs, state.timing.resendMs);
    const until = leaving.command === undefined ? '' : due(leaving.deadlineMs);
    parts.push(`${node}:${String(leaving.command)}:${told}:${until}`);
  }
  return parts.join(',');
}

function progressKey(progress: Progress, state: ReplicaState, hasLeases: boolean): string {
  const { timing } = state;
  const { link } = progress;
  const flags = [progress.isReading, progress.isCounted, progress.wasHeard];
  flags.push(progress.isSilent, progress.isUnreachable);
  return [
    link === undefined ? '' : state.links.has(link) ? 'up' : 'old',
    progress.state,
    progress.match,
    progress.matchBefore,
    progress.next,
    progress.inFlight.map(({ last }) => last).join('+'),
    flags.map(Number).join(''),
    age(progress.heardMs, Math.max(timing.silentMs, timing.answerMs, 1000)),
    age(progress.askedMs, 4 * timing.resendMs),
    hasLeases ? age(progress.leaseFromMs, timing.leaseMs) : '',
    progress.snapshot === undefined ? '' : json(progress.snapshot),
  ].join('.');
}

function attemptKey(attempt: Attempt, { timing }: ReplicaState): string {
  const limitMs = Math.max(timing.answerMs, timing.handOverMs);
  const phased = attempt.phaseMs > NOW_MS ? due(attempt.phaseMs) : age(attempt.phaseMs, limitMs);
  return json([
    attempt.purpose,
    attempt.own,
    attempt.phase,
    age(attempt.startedMs, timing.commandMs),
    phased,
    age(attempt.askedMs, timing.resendMs),
    [...attempt.peers.keys()],
    [...attempt.unreachable],
    [...attempt.surveyed].map(([node, answer]) => [node, { ...answer, attempt: 0 }]),
    [...attempt.fenced].map(([node, answer]) => [node, { ...answer, attempt: 0 }]),
    [...attempt.down],
    attempt.handOverFrom,
    attempt.term,
    attempt.grant,
    attempt.source,
    attempt.tries,
  ]);
}

function linkKey(link: LinkWorld, world: World, bounds: Bounds): string {
  const sides = [0, 1].map((side) => {
    const sender = world.nodes[link.ends[side]!]!;
    const receiver = world.nodes[link.ends[1 - side]!]!;
    const queue = link.queues[side]!.map((message) => messageKey(message, sender, receiver, bounds));
    return `${String(link.isUp[side])}<${queue.join('&')}`;
  });
  return `${link.ends.join('')}${sides.join('-')}`;
}

const messageKeys = new WeakMap<Message, string>();

function messageKey(message: Message, sender: NodeWorld, receiver: NodeWorld, bounds: Bounds): string {
  let key = messageKeys.get(message);
  if (key === undefined) {
    key = staticKey(message);
    messageKeys.set(message, key);
  }
  switch (message.kind) {
    case 'heartbeat':
    case 'heartbeat answer':
      if (bounds.nodes < 3) return key;
      return key + sentOf(message.kind === 'heartbeat' ? sender : receiver, message.round);
    case 'probe':
      return key + standing(probeOf(sender, receiver), message.probe);
    case 'probe answer':
      return key + standing(probeOf(receiver, sender), message.probe);
    case 'survey':
    case 'fence':
    case 'hand over':
      return key + standing(sender.state?.attempts, message.attempt);
    case 'survey answer':
    case 'fence answer':
    case 'hand over answer':
      return key + standing(receiver.state?.attempts, message.attempt);
    default:
      return key;
  }
}

function staticKey(message: Message): string {
  return JSON.stringify(message, (name, value: unknown) => {
    if (name === 'attempt' || name === 'probe' || name === 'round' || name === 'bytes') return undefined;
    if (name === 'frames') return names(value as readonly Frame[]);
    return value;
  });
}

/** How long ago a primary sent this round; whether it has forgotten it. */
function sentOf({ state }: NodeWorld, round: number): string {
  if (state?.office.kind !== 'primary') return '-';
  const sentMs = state.office.roundsMs.get(round);
  return sentMs === undefined ? '-' : age(sentMs, state.timing.leaseMs);
}

function probeOf({ state }: NodeWorld, { at }: NodeWorld): number | undefined {
  return state?.office.kind === 'primary' ? state.office.progress.get(NAMES[at]!)?.probe : undefined;
}

/** Only the newest one counts. */
function standing(current: number | undefined, said: number): string {
  return current === said ? 'now' : 'old';
}

function effectKey(effect: Effect): string {
  return JSON.stringify(effect, (name, value: unknown) => {
    if (name === 'link') return undefined;
    return name === 'frames' ? names(value as readonly Frame[]) : value;
  });
}

function names(frames: readonly Frame[]): string {
  return frames.map(frameName).join('+');
}

const jsons = new WeakMap<object, string>();

/** Of a value that is never changed. */
function json(value: object | undefined): string {
  if (value === undefined) return '';
  let text = jsons.get(value);
  if (text === undefined) jsons.set(value, (text = JSON.stringify(value)));
  return text;
}

/** How long ago; all the same once it is longer than anybody compares it with. */
function age(thenMs: number, limitMs: number): string {
  return String(Math.min(Math.round(NOW_MS - thenMs), limitMs + 1));
}

/** When it will be; all the same once it is over. */
function due(thenMs: number): string {
  return String(Math.max(Math.round(thenMs - NOW_MS), -1));
}
