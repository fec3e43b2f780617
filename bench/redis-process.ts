import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { startedServer } from './installed-server.js';
import { startProcess } from './leftovers.js';
import { askUntilAnswered, pause } from './first-answer.js';
import { Reader, encode } from './reader.js';
import type { BenchServer, Endpoint, WrittenSnapshot } from './server-process.js';

/** A Redis server of the installed package, on a port of the system's choice, with nothing but what `options` say. */
export async function startRedis(
  directory: string,
  options: Readonly<Record<string, string>>,
  port?: number,
): Promise<BenchServer> {
  const listening = port ?? (await freePort());
  const all = { bind: '127.0.0.1', port: String(listening), dir: directory, save: '', ...options };
  const words = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
  const child = startProcess('redis-server', words, { stdio: ['ignore', 'ignore', 'inherit'] });
  const endpoint = { host: '127.0.0.1', port: listening };
  const answered = askUntilAnswered(endpoint, encode('resp', ['PING']));
  return startedServer(child, { name: 'redis-server', ...endpoint }, answered);
}

/** Nothing is on the disk of either; the replica begins at once and not after some seconds. */
const PAIR_OPTIONS = { appendonly: 'no', 'repl-diskless-sync-delay': '0' };

export const REDIS_PAIR_SETTINGS =
  'redis-server --save "" --appendonly no, a replica of the same (--repl-diskless-sync-delay 0), and WAIT 1 behind each batch';

/** A server and a replica that follows it, in this order. */
export async function startRedisPair(directory: string): Promise<BenchServer[]> {
  const start = (name: string, more: Readonly<Record<string, string>>): Promise<BenchServer> => {
    const own = path.join(directory, name);
    mkdirSync(own, { recursive: true });
    return startRedis(own, { ...PAIR_OPTIONS, ...more });
  };
  const primary = await start('primary', {});
  const replica = await start('replica', { replicaof: `${primary.host} ${String(primary.port)}` });
  const reader = await Reader.connect(replica.host, replica.port, 'resp');
  for (;;) {
    const lines = await reader.askForLines(encode('resp', ['INFO', 'replication']));
    if (lines.includes('master_link_status:up')) break;
    await pause(POLL_MS);
  }
  reader.close();
  return [primary, replica];
}

const POLL_MS = 10;

/** A snapshot in the background, by a child that shares the memory of its parent until one of them changes it. */
export async function writeRedisSnapshot(server: Endpoint): Promise<WrittenSnapshot> {
  const reader = await Reader.connect(server.host, server.port, 'resp');
  const persistence = async (): Promise<Map<string, string>> => {
    const lines = await reader.askForLines(encode('resp', ['INFO', 'persistence']));
    return new Map(lines.map((line) => line.split(':', 2) as [string, string]));
  };
  await reader.ask(encode('resp', ['BGSAVE']));
  let known = await persistence();
  while (known.get('rdb_bgsave_in_progress') !== '0') {
    await pause(POLL_MS);
    known = await persistence();
  }
  reader.close();
  if (known.get('rdb_last_bgsave_status') !== 'ok') throw new Error('Redis could not write its snapshot');
  return { elsewhereBytes: Number(known.get('rdb_last_cow_size')) };
}

/** A port that nobody listens at. Somebody may come in between, but nobody who asks the system for one. */
export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}
