import { wholeRange } from '../../src/engine.js';
import type { Refusal, ValueSink } from '../../src/engine.js';
import { comparePositions, showPosition } from '../../src/log/term.js';
import type { Operation } from '../histories/linearizability.js';
import type { Checks } from './checks.js';
import type { ClientHistory } from './clients.js';
import type { Cluster, Machine } from './cluster.js';
import type { Operator } from './operators.js';

/** Once nothing is wrong any more, all is well again within this time. */
const CONVERGE_MS_MAX = 120_000;
const LOOK_MS = 1000;
/**
 * Where the members make their own primary, one serves within this time without anybody's help, once nothing is wrong any more and all
 * run: what was sent over a link that nobody knows to be gone is given up first, and then some elections may come to nothing.
 */
const ELECT_MS_MAX = 10_000;
/** A primary that starts gets this long to find its place by itself. */
const PATIENCE_MS = 8000;

export interface Parties {
  readonly cluster: Cluster;
  readonly checks: Checks;
  readonly operator: Operator;
  readonly history: ClientHistory;
  /** Nobody takes the nodes in or puts them in office. */
  readonly isFixed: boolean;
}

export function pause(cluster: Cluster, delayMs: number, label: string): Promise<void> {
  return new Promise((resolve) => void cluster.world.post(delayMs, label, resolve));
}

/** Puts everything right, and waits until all nodes agree and a write is done. */
export async function converge(parties: Parties): Promise<void> {
  const { cluster, checks, operator, isFixed } = parties;
  const { scheduler } = cluster;
  scheduler.note('everything is put right');
  cluster.calmDown();
  const deadlineMs = scheduler.nowMs + CONVERGE_MS_MAX;
  let withoutPrimaryMs = 0;
  let electsFromMs = scheduler.nowMs;
  for (let round = 0; scheduler.nowMs < deadlineMs; round++) {
    for (const machine of cluster.machines) cluster.start(machine);
    await pause(cluster, LOOK_MS, 'looks whether all is well');
    const { primary } = cluster;
    // Who accepted a loss may have made two clusters of one, and gives one of them up by hand.
    if (checks.hasLoss && servingPrimaries(cluster) > 1) return;
    if (primary !== undefined || !makesItsOwnPrimary(cluster)) electsFromMs = scheduler.nowMs;
    else if (scheduler.nowMs - electsFromMs < ELECT_MS_MAX) continue;
    else {
      const what = 'the members do not make a primary by themselves in time';
      checks.report(`${what}:\n${describeCluster(cluster)}`);
      return;
    }
    if (primary === undefined) {
      withoutPrimaryMs += LOOK_MS;
      if (withoutPrimaryMs < PATIENCE_MS || isFixed) continue;
      withoutPrimaryMs = 0;
      await appoint(parties, round > 2 * (PATIENCE_MS / LOOK_MS));
      continue;
    }
    if (isFixed ? isEqual(cluster.machines, primary) : isWhole(cluster, primary)) {
      if (await writes(cluster, primary)) return;
    } else if (!isFixed) {
      await addMissing(cluster, primary, operator);
    }
  }
  checks.report(`the cluster does not come together again:\n${describeCluster(cluster)}`);
}

/** Whether all nodes run, and those that take part know of nobody else who would have to do it. */
function makesItsOwnPrimary({ machines }: Cluster): boolean {
  const nodes = machines.map(({ node }) => node);
  if (nodes.some((node) => node === undefined)) return false;
  const takePart = nodes.filter((node) => {
    const service = node?.inspect().service;
    return service !== 'unadopted' && service !== 'left-out';
  });
  return takePart.length > 0 && takePart.every((node) => node?.engine.guarantees.failover === 'auto');
}

function servingPrimaries({ machines }: Cluster): number {
  return machines.filter(({ node }) => {
    const now = node?.inspect();
    return now?.role === 'primary' && now.service === 'serving';
  }).length;
}

/** Asks the nodes to take over, the longest log first. */
async function appoint({ cluster, checks, operator }: Parties, isForced: boolean): Promise<void> {
  const candidates = cluster.machines
    .filter(({ node }) => node !== undefined)
    .map((machine) => ({ machine, now: machine.node!.inspect() }))
    .filter(({ now }) => now.service !== 'unadopted' && now.service !== 'left-out')
    .sort((a, b) => comparePositions(b.now.last, a.now.last));
  for (const { machine } of candidates) {
    const answer = await operator.command(machine, {
      kind: 'promote',
      othersAreDown: isForced,
      // Who gave up data before may have to do it again to get out of what came of it.
      acceptDataLoss: isForced && checks.hasLoss,
    });
    if (answer !== 'broken' && !('code' in answer)) return;
    if (cluster.primary !== undefined) return;
  }
}

async function addMissing(cluster: Cluster, primary: Machine, operator: Operator): Promise<void> {
  const members = new Set(primary.node?.engine.status().members.map(({ address }) => address));
  for (const { address, node } of cluster.machines) {
    if (members.has(address) || node === undefined) continue;
    await operator.command(primary, { kind: 'addBackup', address });
  }
}

/** Whether everybody is a member, and has everything. */
function isWhole(cluster: Cluster, primary: Machine): boolean {
  const members = primary.node?.engine.status().members.filter(({ state }) => state === 'member') ?? [];
  const addresses = new Set(members.map(({ address }) => address));
  const areMembers = cluster.machines.every(({ address }) => addresses.has(address));
  return areMembers && isEqual(cluster.machines, primary);
}

function isEqual(machines: readonly Machine[], primary: Machine): boolean {
  const expected = primary.node?.inspect();
  return machines.every((machine) => {
    const now = machine.node?.inspect();
    const isServing = now?.role === 'primary' && now.service === 'serving';
    return (
      now !== undefined &&
      now.applied === expected?.last.index &&
      comparePositions(now.last, expected.last) === 0 &&
      isServing === (machine === primary)
    );
  });
}

async function writes(cluster: Cluster, primary: Machine): Promise<boolean> {
  const word = (text: string) => wholeRange(Buffer.from(text));
  const answers: (Refusal | undefined)[] = [];
  const written = (refused: Refusal | undefined): void => void answers.push(refused);
  const operation = { kind: 'put', key: word('last'), value: word('word') } as const;
  primary.process?.post(0, 'last write', () => primary.node?.engine.write(operation, { written }));
  await pause(cluster, LOOK_MS, 'waits for the last write');
  return answers.length === 1 && answers[0] === undefined && cluster.primary === primary;
}

/** Reads every key at the end, so that the history shows what became of each write. */
export async function readEverything(parties: Parties, keys: readonly string[]): Promise<void> {
  const { cluster, history } = parties;
  const node = cluster.primary?.node;
  if (node === undefined) return;
  for (const key of keys) {
    const calledAt = cluster.scheduler.stamp();
    let value: string | null | undefined;
    const sink: ValueSink = {
      isFull: false,
      hit: (bytes, start, end) => (value = bytes.toString('latin1', start, end)),
      miss: () => (value = null),
    };
    node.engine.readAll([wholeRange(Buffer.from(key))], sink, () => undefined);
    await pause(cluster, 100, 'reads everything');
    if (value === undefined) continue;
    const answeredAt = cluster.scheduler.stamp();
    const read: Operation = { kind: 'get', value, calledAt, answeredAt };
    history.add(key, read);
  }
}

export function describeCluster(cluster: Cluster): string {
  return cluster.machines
    .map(({ name, node, process }) => {
      const now = node?.inspect();
      if (now === undefined) return `${name} ${process === undefined ? 'is stopped' : 'starts'}`;
      const advice = node?.engine.status().advice ?? '';
      const place = `${showPosition(now.last)} commit ${String(now.commit)} applied ${String(now.applied)}`;
      return `${name} ${now.role} ${now.service} term ${String(now.term)} last ${place} ${advice}`;
    })
    .join('\n');
}
