import path from 'node:path';
import { pause } from './first-answer.js';
import { startedServer } from './installed-server.js';
import { startProcess } from './leftovers.js';
import { freePort } from './redis-process.js';
import type { BenchServer } from './server-process.js';

const HOST = '127.0.0.1';
const POLL_MS = 50;
const DEADLINE_MS = 60_000;

export const ETCD_SETTINGS = 'etcd --logger zap --log-level error, with nothing else but names and addresses';

interface Member {
  readonly name: string;
  readonly port: number;
  readonly peerUrl: string;
}

/** Members of a new cluster of the installed etcd, whoever leads them first. */
export async function startEtcd(directory: string, nodes: number): Promise<BenchServer[]> {
  const members: Member[] = [];
  for (let at = 0; at < nodes; at++) {
    const peerUrl = `http://${HOST}:${String(await freePort())}`;
    members.push({ name: `node${String(at)}`, port: await freePort(), peerUrl });
  }
  const servers = await Promise.all(members.map((member) => startMember(directory, member, members)));
  const leader = await leaderOf(members);
  return [...servers.filter(({ port }) => port === leader), ...servers.filter(({ port }) => port !== leader)];
}

function startMember(
  directory: string,
  { name, port, peerUrl }: Member,
  all: readonly Member[],
): Promise<BenchServer> {
  const url = `http://${HOST}:${String(port)}`;
  const options = {
    name,
    'data-dir': path.join(directory, name),
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'listen-peer-urls': peerUrl,
    'initial-advertise-peer-urls': peerUrl,
    'initial-cluster': all.map((each) => `${each.name}=${each.peerUrl}`).join(','),
    logger: 'zap',
    'log-level': 'error',
  };
  const words = Object.entries(options).flatMap(([option, value]) => [`--${option}`, value]);
  const child = startProcess('etcd', words, { stdio: 'ignore' });
  return startedServer(child, { name: 'etcd', host: HOST, port }, answered(port));
}

interface Status {
  readonly leader?: string;
  readonly header: { readonly member_id: string };
}

/** Resolves when a member knows who leads. */
async function answered(port: number): Promise<Status> {
  const untilMs = performance.now() + DEADLINE_MS;
  while (performance.now() < untilMs) {
    const status = await statusOf(port);
    if (status?.leader !== undefined && status.leader !== '0') return status;
    await pause(POLL_MS);
  }
  throw new Error('no etcd leads');
}

async function leaderOf(members: readonly Member[]): Promise<number> {
  for (const { port } of members) {
    const { leader, header } = await answered(port);
    if (leader === header.member_id) return port;
  }
  throw new Error('no etcd leads');
}

/** By the gateway for JSON: what is measured goes past it. */
async function statusOf(port: number): Promise<Status | undefined> {
  try {
    const url = `http://${HOST}:${String(port)}/v3/maintenance/status`;
    const answer = await fetch(url, { method: 'POST', body: '{}' });
    return (await answer.json()) as Status;
  } catch {
    // It is being started.
    return undefined;
  }
}
