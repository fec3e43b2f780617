import { DEFAULT_ADDRESS } from '../../client/address.js';
import { BOUND_OPTIONS } from '../bounds.js';
import type { CommandSpec } from '../command-spec.js';
import {
  ACKS_POLICIES,
  ADDRESS_OPTION,
  BACKUP_OPTION,
  CATCH_UP_TIMEOUT_SECONDS,
  CHANGE_TIMEOUT_SECONDS,
  DEFAULT_DB_PATH,
  FAILOVER_POLICIES,
  FORMAT_OPTION,
  FSYNC_POLICIES,
  LOG_LEVELS,
  PRIMARY_OPTION,
  ROLES,
  TIMEOUT_OPTION,
  timeoutOption,
} from '../options.js';

const SERVER: CommandSpec = {
  name: 'server',
  group: 'Servers',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  summary: 'start a server',
  options: [
    {
      name: 'address',
      operand: 'HOST:PORT',
      description: 'where to listen, port 0 for any; KV_ADDRESS says the same',
      shownDefault: DEFAULT_ADDRESS,
    },
    {
      name: 'db-path',
      operand: 'FILE',
      description: 'the data: this JSON file, and FILE.d beside it',
      shownDefault: DEFAULT_DB_PATH,
    },
    {
      name: 'fsync',
      operand: FSYNC_POLICIES.join('|'),
      description: 'when a write is synced to the disk',
      shownDefault: 'always',
    },
    { name: 'role', operand: ROLES.join('|'), description: 'how new data starts', shownDefault: 'primary' },
    {
      name: 'primary',
      operand: 'HOST:PORT',
      description: 'with --role backup: the only node that may add it',
    },
    {
      name: 'join',
      operand: 'HOST:PORT',
      description: 'a node of the cluster that a new node asks to be added to, as a backup',
    },
    {
      name: 'advertise',
      operand: 'HOST:PORT',
      description: 'where other nodes reach this one, when not at --address',
    },
    {
      name: 'acks',
      operand: ACKS_POLICIES.join('|'),
      description: 'how many members must hold a write; a setting of the cluster, set at its primary',
    },
    {
      name: 'failover',
      operand: FAILOVER_POLICIES.join('|'),
      description: 'who makes another primary when it is lost: a person, or the members; set as --acks is',
    },
    {
      name: 'cluster-secret-file',
      operand: 'FILE',
      description: 'holds what its nodes prove to each other; KV_CLUSTER_SECRET may hold the secret itself',
    },
    {
      name: 'allow-unauthenticated',
      description: 'listen beyond this machine though no client has to log in',
    },
    {
      name: 'log-level',
      operand: LOG_LEVELS.join('|'),
      description: 'what is logged on stderr',
      shownDefault: 'info',
    },
    { name: 'log-segment-bytes', operand: 'SIZE', description: 'advanced: size of one file of the log' },
    ...BOUND_OPTIONS,
  ],
  notes: [
    'The first line on stdout is "ready HOST:PORT role=… term=…"; logs go to stderr. Ctrl-C stops cleanly.',
    'With --join it is there once the node is a member: until then the node asks to be added, and logs what it waits for.',
    '--role, --primary and --join say how new data starts. Afterwards what the node knows of its cluster wins.',
    'A new backup without --join takes part once it was added: see "kv help add-backup".',
    '--acks and --failover are settings of the cluster: given at the primary they are changed there, elsewhere once',
    'that node is the primary. With --acks 0 a write is answered when the primary alone holds it, and a promotion can lose',
    'it; a new cluster has majority. With --failover auto three or more members replace a lost primary by themselves in',
    'about a second, and one that is told to stop hands over first; a new cluster has manual, and "kv promote".',
    'Nodes on several machines need one secret, the same for all of them: "openssl rand -hex 32" makes a good one.',
    'The bounds are for what clients ask of this server; a backup follows its primary whatever these are. A SIZE is a',
    'number of bytes, or one with a unit: 65536, 64KiB, 1.5GiB.',
  ],
  examples: [
    { line: 'kv server', meaning: `listen on ${DEFAULT_ADDRESS}, keep the data in kv-store.json` },
    { line: 'kv server --address 127.0.0.1:0 --db-path /tmp/try.json', meaning: 'a port that is free' },
    { line: 'kv server --failover auto --db-path a.json', meaning: 'the first of three nodes' },
    { line: 'kv server --join 127.0.0.1:7001 --address 127.0.0.1:7002 --db-path b.json', meaning: '' },
    { line: 'kv server --join 127.0.0.1:7001 --address 127.0.0.1:7003 --db-path c.json', meaning: '' },
  ],
  load: () => import('../commands/server.js'),
};

const STATUS: CommandSpec = {
  name: 'status',
  group: 'Servers',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  summary: 'show how a server is doing',
  options: [
    { name: 'watch', description: 'show it again each second, until Ctrl-C' },
    FORMAT_OPTION,
    ADDRESS_OPTION,
    TIMEOUT_OPTION,
  ],
  notes: [
    'On a pipe: one name=value a line, and one line for each member. With --watch, one such block a second, or in',
    'JSON one object a line; a server that does not answer is asked again.',
  ],
  examples: [
    { line: 'kv status', meaning: '' },
    { line: 'kv status --watch --address 127.0.0.1:7002', meaning: 'how a backup is doing' },
    { line: 'kv status --format json | jq .role', meaning: '' },
  ],
  load: () => import('../commands/status.js'),
};

const ADD_BACKUP: CommandSpec = {
  name: 'add-backup',
  group: 'Servers',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  summary: 'make a server a backup of a primary',
  options: [
    PRIMARY_OPTION,
    BACKUP_OPTION,
    { name: 'no-wait', description: 'do not wait until it is a member' },
    FORMAT_OPTION,
    timeoutOption(CATCH_UP_TIMEOUT_SECONDS),
  ],
  notes: [
    'On another machine the backup needs the same --cluster-secret-file as the primary.',
    'The primary sends the backup everything, and counts it as a member once it has caught up. The command waits for',
    'that; when its time is up, the backup goes on by itself.',
    'Bring back in the same way what was left out of a promotion.',
  ],
  examples: [
    { line: 'kv add-backup --primary 127.0.0.1:7001 --backup 127.0.0.1:7002', meaning: '' },
    { line: 'kv add-backup --primary a:7001 --backup b:7001 --timeout 3600', meaning: 'much data' },
  ],
  load: () => import('../commands/add-backup.js'),
};

const REMOVE_BACKUP: CommandSpec = {
  name: 'remove-backup',
  group: 'Servers',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  summary: 'let a backup take part no more',
  options: [
    PRIMARY_OPTION,
    BACKUP_OPTION,
    { name: 'backup-is-down', description: 'your word that it is stopped, and stays so meanwhile' },
    FORMAT_OPTION,
    timeoutOption(CHANGE_TIMEOUT_SECONDS),
  ],
  notes: [
    'It is done when the backup knows of it, too. One that is down cannot be told: say so with --backup-is-down,',
    'and only when it is so. Where the members make their own primary (--failover auto), the primary can be removed, too:',
    'name it twice. Another member takes over first.',
  ],
  examples: [
    { line: 'kv remove-backup --primary 127.0.0.1:7001 --backup 127.0.0.1:7002', meaning: '' },
    {
      line: 'kv remove-backup --primary 127.0.0.1:7001 --backup 127.0.0.1:7002 --backup-is-down',
      meaning: '',
    },
  ],
  load: () => import('../commands/remove-backup.js'),
};

const PROMOTE: CommandSpec = {
  name: 'promote',
  group: 'Servers',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  summary: 'make a backup the primary',
  options: [
    { ...ADDRESS_OPTION, description: 'the backup to promote; KV_ADDRESS in the environment says the same' },
    {
      name: 'others-are-down',
      description: 'your word that who does not answer is stopped, and stays so meanwhile',
    },
    { name: 'accept-data-loss', description: 'with --others-are-down: go on whatever is missing' },
    FORMAT_OPTION,
    timeoutOption(CHANGE_TIMEOUT_SECONDS),
  ],
  notes: [
    'Without more words it needs a majority of the members, and loses nothing that was acknowledged; a primary that',
    'answers hands over. Of a pair whose primary is dead, the backup is half: say --others-are-down, and only when it',
    'is so. Members that do not answer are left out then. Refused: exit status 5, with the reason and the way on.',
  ],
  examples: [
    { line: 'kv promote --address 127.0.0.1:7002', meaning: 'the primary hands over, or a majority agrees' },
    {
      line: 'kv promote --address 127.0.0.1:7002 --others-are-down',
      meaning: 'the primary of a pair is dead',
    },
  ],
  load: () => import('../commands/promote.js'),
};

export const SERVER_COMMANDS: readonly CommandSpec[] = [SERVER, STATUS, ADD_BACKUP, REMOVE_BACKUP, PROMOTE];
