import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { startRedis, writeRedisSnapshot } from './redis-process.js';
import { startServer, writeOwnSnapshot } from './server-process.js';
import type { BenchServer, ServerStart, WrittenSnapshot } from './server-process.js';

/**
 * What is kept of writes: `off` nothing is synced (Redis: nothing is written either, where this project always has its log),
 * `everysec`, or `always` before the reply.
 */
export type Durability = 'off' | 'everysec' | 'always';

/** Where a start finds all data: in the file of a snapshot, or in nothing but the log. */
export type Source = 'snapshot' | 'log';

/** A kind of server that speaks RESP and can be measured. */
export interface Peer {
  readonly name: 'Understudy' | 'Redis';
  readonly version: string;
  /** How it is started, for the report. */
  settings(durability: Durability): string;
  /** How one is started that finds its data in `source`, for the report. */
  settingsAgain(source: Source): string;
  start(directory: string, durability: Durability, how?: ServerStart): Promise<BenchServer>;
  /** One whose data lies in `source` once it has ended: stopped for a snapshot, killed for a log. */
  startToFill(directory: string, source: Source): Promise<BenchServer>;
  /** One that finds its data in `source`. */
  startAgain(directory: string, source: Source, port: number): Promise<BenchServer>;
  /** Has the snapshot written, and resolves once it is on the disk. */
  writeSnapshot(server: BenchServer): Promise<WrittenSnapshot>;
}

const UNSYNCED = ['--fsync', 'off', '--log-level', 'error'];

export const UNDERSTUDY: Peer = {
  name: 'Understudy',
  version: ownVersion(),
  settings: (durability) => `kv server --fsync ${durability} --log-level error`,
  settingsAgain: () => `kv server ${UNSYNCED.join(' ')}`,
  start: (directory, durability, how) =>
    startServer(dbPathIn(directory), ['--fsync', durability, '--log-level', 'error'], how),
  startToFill: (directory, source) =>
    startServer(dbPathIn(directory), UNSYNCED, { isWithoutSnapshots: source === 'log' }),
  startAgain: (directory, _, port) => startServer(dbPathIn(directory), UNSYNCED, { port }),
  writeSnapshot: writeOwnSnapshot,
};

function dbPathIn(directory: string): string {
  mkdirSync(directory, { recursive: true });
  return path.join(directory, 'kv-store.json');
}

/** A snapshot is written when the server is stopped, and only then; the log begins with the first write, and is never replaced. */
const REDIS_SOURCES: Readonly<Record<Source, Record<string, string>>> = {
  snapshot: { appendonly: 'no', save: '3600 1' },
  log: { appendonly: 'yes', appendfsync: 'everysec', 'auto-aof-rewrite-percentage': '0' },
};

function redis(version: string): Peer {
  const start = (directory: string, options: Record<string, string>, port?: number): Promise<BenchServer> => {
    mkdirSync(directory, { recursive: true });
    return startRedis(directory, options, port);
  };
  return {
    name: 'Redis',
    version,
    settings: (durability) => redisSettings({ save: '""', ...persistenceOf(durability) }),
    settingsAgain: (source) => redisSettings({ save: '""', ...REDIS_SOURCES[source] }),
    start: (directory, durability, how) => start(directory, persistenceOf(durability), how?.port),
    startToFill: (directory, source) => start(directory, REDIS_SOURCES[source]),
    startAgain: (directory, source, port) => start(directory, REDIS_SOURCES[source], port),
    writeSnapshot: writeRedisSnapshot,
  };
}

function redisSettings(options: Readonly<Record<string, string>>): string {
  return ['redis-server', ...Object.entries(options).map(([name, value]) => `--${name} ${value}`)].join(' ');
}

function persistenceOf(durability: Durability): Record<string, string> {
  return durability === 'off' ? { appendonly: 'no' } : { appendonly: 'yes', appendfsync: durability };
}

/** Programs of others, and the package of Debian and Ubuntu that has them. */
const PACKAGES = {
  'redis-server': 'redis-server',
  'redis-benchmark': 'redis-tools',
  memcached: 'memcached',
  etcd: 'etcd-server',
} as const;

export type Program = keyof typeof PACKAGES;

/** What is installed, and what is not, with what to do about it. */
export interface Installed {
  readonly versions: ReadonlyMap<Program, string>;
  /** One server of each kind that speaks RESP, this project first. */
  readonly peers: readonly Peer[];
  readonly missing: readonly string[];
}

export function findInstalled(): Installed {
  const versions = new Map<Program, string>();
  const missing: string[] = [];
  for (const [program, name] of Object.entries(PACKAGES) as [Program, string][]) {
    const version = versionOf(program);
    if (version === undefined) missing.push(`${program} is not installed: apt-get install ${name}`);
    else versions.set(program, version);
  }
  const redisVersion = versions.get('redis-server');
  return {
    versions,
    peers: redisVersion === undefined ? [UNDERSTUDY] : [UNDERSTUDY, redis(redisVersion)],
    missing,
  };
}

/** The version of an installed program; undefined where there is none. */
function versionOf(program: Program): string | undefined {
  const { stdout, error } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  if (error !== undefined) return undefined;
  return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? stdout.trim();
}

function ownVersion(): string {
  const file = path.join(import.meta.dirname, '..', '..', 'package.json');
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return version;
}
