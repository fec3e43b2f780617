import { refusal } from '../engine.js';
import type { Engine, FsyncPolicy, MemberStatus, Status } from '../engine.js';
import { termCount } from '../log/term.js';
import { parseAddress } from '../protocol/address.js';
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { RunCommand } from './command.js';
import { REDIS_VERSION, unknownPart } from './conversation.js';
import { compileGlob, matchesGlob } from './glob.js';
import type { Session } from './session.js';
import { statusLines } from './status.js';
import { argument, argumentsOf, isWord, shownStart, textOf } from './words.js';

type Section = (engine: Engine, session: Session) => string[];

/** What INFO answers, section by section, under the names that programs made for Redis look for. */
const SECTIONS: Readonly<Record<string, Section>> = {
  Server: (_engine, { server, localAddress }) => [
    `redis_version:${REDIS_VERSION}`,
    `understudy_version:${server.version}`,
    'redis_mode:standalone',
    `process_id:${String(server.processId)}`,
    `tcp_port:${String(portOf(localAddress))}`,
    `uptime_in_seconds:${String(Math.floor(server.uptimeMs / 1000))}`,
  ],
  Clients: (_engine, { server }) => [
    `connected_clients:${String(server.connections)}`,
    'blocked_clients:0',
    `maxclients:${String(server.connectionsMax)}`,
  ],
  Memory: (engine, { server }) => [
    `used_memory:${String(engine.status().dataBytes)}`,
    `used_memory_human:${humanBytes(engine.status().dataBytes)}`,
    `maxmemory:${String(engine.status().dataBytesMax ?? 0)}`,
    `used_memory_rss:${String(server.residentBytes)}`,
  ],
  Persistence: (engine) => [
    'loading:0',
    'aof_enabled:1',
    `appendfsync:${redisFsync(engine.guarantees.fsync)}`,
  ],
  Stats: (_engine, { server }) => [
    `total_connections_received:${String(server.connectionsTotal)}`,
    `total_commands_processed:${String(server.commandsTotal)}`,
  ],
  Replication: (engine) => replicationLines(engine.status()),
  Keyspace: (engine) => [`db0:keys=${String(engine.status().keys)},expires=0,avg_ttl=0`],
  Understudy: (engine) =>
    statusLines(engine.status()).map((line) => {
      const equals = line.indexOf('=');
      return `${line.slice(0, equals)}:${line.slice(equals + 1)}`;
    }),
};

function humanBytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(2)}M`;
}

function portOf(address: string): number {
  const parsed = parseAddress(address);
  return 'invalid' in parsed ? 0 : parsed.port;
}

function redisFsync(fsync: FsyncPolicy): string {
  return fsync === 'off' ? 'no' : fsync;
}

function replicationLines(status: Status): string[] {
  const offset = String(status.applied);
  if (status.role === 'primary') {
    const backups = status.members.filter((member) => member.role === 'backup');
    return [
      'role:master',
      `connected_slaves:${String(backups.length)}`,
      ...backups.map(backupLine),
      `master_replid:${status.cluster ?? '0'}`,
      `master_repl_offset:${offset}`,
    ];
  }
  const primary = status.primary === undefined ? undefined : parseAddress(status.primary);
  const { host, port } = primary === undefined || 'invalid' in primary ? { host: '', port: 0 } : primary;
  const isHeard = status.service === 'following' && status.primarySilentMs !== undefined;
  return [
    'role:slave',
    `master_host:${host}`,
    `master_port:${String(port)}`,
    `master_link_status:${isHeard ? 'up' : 'down'}`,
    'master_sync_in_progress:0',
    'slave_read_only:1',
    `slave_repl_offset:${offset}`,
    `master_replid:${status.cluster ?? '0'}`,
    `master_repl_offset:${offset}`,
  ];
}

function backupLine({ address, state, acked, silentMs }: MemberStatus, at: number): string {
  const parsed = parseAddress(address);
  const { host, port } = 'invalid' in parsed ? { host: address, port: 0 } : parsed;
  const shown = state === 'member' ? 'online' : state === 'learner' ? 'wait_bgsave' : 'offline';
  const lag = Math.floor((silentMs ?? 0) / 1000);
  const fields = `ip=${host},port=${String(port)},state=${shown}`;
  return `slave${String(at)}:${fields},offset=${String(acked?.index ?? 0)},lag=${String(lag)}`;
}

const WHOLE = ['ALL', 'DEFAULT', 'EVERYTHING'];

function info(request: Request, engine: Engine, reply: Reply, session: Session): void {
  const asked = argumentsOf(request).map((word) => (textOf(word) ?? '').toUpperCase());
  const isWhole = asked.length === 0 || asked.some((name) => WHOLE.includes(name));
  const lines: string[] = [];
  for (const [name, section] of Object.entries(SECTIONS)) {
    if (!isWhole && !asked.includes(name.toUpperCase())) continue;
    if (lines.length > 0) lines.push('');
    lines.push(`# ${name}`, ...section(engine, session));
  }
  reply.document(lines);
}

/** What `CONFIG GET` knows, under Redis's names. All of it is told by flags when a server is started. */
function settings(engine: Engine, { server }: Session): readonly (readonly [string, string])[] {
  return [
    ['appendonly', 'yes'],
    ['appendfsync', redisFsync(engine.guarantees.fsync)],
    ['save', ''],
    ['databases', '1'],
    ['maxclients', String(server.connectionsMax)],
    ['maxmemory', String(engine.status().dataBytesMax ?? 0)],
    ['maxmemory-policy', 'noeviction'],
    ['proto-max-bulk-len', String(server.requestLimits.valueBytesMax)],
    ['timeout', '0'],
  ];
}

function config(request: Request, engine: Engine, reply: Reply, session: Session): void {
  const [part, ...patterns] = argumentsOf(request);
  if (!isWord(part, 'GET') || patterns.length === 0) {
    reply.error(unknownPart('CONFIG', shownStart(argument(request, 0)), ['GET pattern']));
    return;
  }
  const { globBytesMax } = session.server.requestLimits;
  const bytes = patterns.reduce((sum, { start, end }) => sum + end - start, 0);
  if (bytes > globBytesMax) {
    const message = `the patterns have ${String(bytes)} bytes, and ${String(globBytesMax)} is the most`;
    reply.error(refusal('TOO_LARGE', message));
    return;
  }
  const globs = patterns.map(({ bytes, start, end }) => {
    return compileGlob(Buffer.from(bytes.toString('latin1', start, end).toLowerCase(), 'latin1'));
  });
  const known = settings(engine, session).filter(([name]) => {
    return globs.some((glob) => matchesGlob(glob, Buffer.from(name)));
  });
  reply.beginMap(known.length);
  for (const [name, value] of known) {
    reply.item(name);
    reply.item(value);
  }
  reply.endList();
}

/** Each takes as long as hundreds of words are read in. */
const WORK_WORDS = 300;

function answering(
  answer: (request: Request, engine: Engine, reply: Reply, session: Session) => void,
): Pick<RunCommand, 'isQuick' | 'workWords' | 'run'> {
  return {
    workWords: WORK_WORDS,
    // Not quick: a client may send many at once, and none is to be run in the turn of another.
    isQuick: () => false,
    run(request, engine, reply, done, session) {
      answer(request, engine, reply, session);
      done();
    },
  };
}

const WORDS_MAX = 16;

/** Commands that tell how the node is. */
export const INFORMATION_COMMANDS: readonly RunCommand[] = [
  {
    name: 'STATUS',
    shape: 'nothing',
    effect: 'reads',
    answers: 'a list of `name=value` lines',
    summary: 'Says how the node is: its role, positions, promises and members.',
    ...answering((_request, engine, reply) => {
      const lines = statusLines(engine.status());
      reply.beginList(lines.length);
      for (const line of lines) reply.item(line);
      reply.endList();
    }),
  },
  {
    name: 'HEARTBEAT',
    shape: 'nothing',
    effect: 'reads',
    answers: '`OK role=… term=… index=… commit=…`',
    summary: 'Says where the node is in its log.',
    ...answering((_request, engine, reply) => {
      const { role, term, position, commit } = engine.status();
      const places = `index=${String(position.index)} commit=${String(commit)}`;
      reply.ok(`role=${role} term=${String(termCount(term))} ${places}`);
    }),
  },
  {
    name: 'INFO',
    shape: 'words',
    operands: { usage: '[section …]', min: 0, max: WORDS_MAX },
    effect: 'reads',
    answers: 'lines of `name:value`',
    summary: 'Says how the node is, under the names that Redis has for it.',
    ...answering(info),
  },
  {
    name: 'CONFIG',
    shape: 'words',
    operands: { usage: 'GET pattern [pattern …]', min: 1, max: WORDS_MAX },
    effect: 'reads',
    answers: 'names and values, in turn',
    summary: 'Shows settings under the names that Redis has for them; they are flags of `kv server`.',
    ...answering(config),
  },
];
