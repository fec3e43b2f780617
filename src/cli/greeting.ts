import { DEFAULT_ADDRESS, parseAddress, showAddress } from '../client/address.js';
import { termCount } from '../log/term.js';
import type { ServerOptions } from './options.js';
import type { RunningNode } from './start-server.js';

/** What is said of a server that is up. */
export type Greeted = Pick<
  RunningNode,
  'address' | 'role' | 'service' | 'term' | 'keys' | 'members' | 'guarantees' | 'isDiskFull'
>;
export type GreetingOptions = Pick<
  ServerOptions,
  'dbPath' | 'primary' | 'join' | 'advertise' | 'acks' | 'failover'
>;

/** The lines of the greeting: the one for scripts, then what a person may want to know and type next. */
export function greeting(node: Greeted, options: GreetingOptions, environment: NodeJS.ProcessEnv): string[] {
  const { address, role, service, term, keys, isDiskFull } = node;
  const kv = environment.npm_lifecycle_event === undefined ? 'kv' : 'npx kv';
  return [
    `ready ${address} role=${role} term=${String(termCount(term))}`,
    '',
    `  ${service === 'serving' ? showCount(keys) : 'The data is'} in ${options.dbPath}. In another terminal:`,
    '',
    ...(isDiskFull ? FULL_DISK : []),
    ...(role === 'primary' ? firstCalls(kv, address) : firstStepsOfBackup(kv, node, options)),
    '',
    ...companions(kv, node, options),
    ...settingsNote(node, options),
    '  Ctrl-C stops the server and leaves the JSON file complete.',
    '',
  ];
}

const FULL_DISK = [
  '  The disk is full: what is there is read, and nothing is written. Make room on it; the server goes on by itself then.',
  '',
];

/** Only of a node that serves: one that waits for others may have applied next to nothing of what is on its disk. */
function showCount(keys: number): string {
  return `${String(keys)} ${keys === 1 ? 'key' : 'keys'}`;
}

function firstCalls(kv: string, address: string): string[] {
  const elsewhere = address === DEFAULT_ADDRESS ? '' : ` --address ${address}`;
  const [host = '', port = ''] = splitAddress(address);
  return [
    `    ${kv} put mykey "hello world"${elsewhere}`,
    `    ${kv} get mykey${elsewhere}`,
    `    printf 'GET mykey\\n' | nc -N ${host} ${port}`,
  ];
}

/** A backup is of no use before its primary was told of it, and takes no writes after that. */
function firstStepsOfBackup(
  kv: string,
  { address, service }: Greeted,
  { primary, advertise }: GreetingOptions,
): string[] {
  const status = `    ${kv} status --address ${address}`;
  if (primary === undefined || service !== 'unadopted') return [status];
  const reachedAt = advertise === undefined ? address : showAddress(advertise);
  return [`    ${kv} add-backup --primary ${showAddress(primary)} --backup ${reachedAt}`, status];
}

/** What is missing for the members to replace a primary by themselves. */
function companions(kv: string, node: Greeted, { advertise }: GreetingOptions): string[] {
  const { role, members, guarantees, address } = node;
  if (role !== 'primary' || guarantees.failover !== 'auto' || members.length > 2) return [];
  const reachedAt = advertise === undefined ? address : showAddress(advertise);
  if (members.length === 2) {
    return [
      '  Automatic failover cannot help with two members: one of them alone is no majority. A third one:',
      '',
      `    ${kv} server --join ${reachedAt} --address HOST:PORT --db-path FILE`,
      '',
    ];
  }
  const own = parseAddress(address);
  const starts = [2, 3].map((number) => {
    const next =
      'invalid' in own ? 'HOST:PORT' : showAddress({ host: own.host, port: own.port + number - 1 });
    return `    ${kv} server --join ${reachedAt} --address ${next} --db-path node${String(number)}.json`;
  });
  return ['  Automatic failover needs three members. The two others:', '', ...starts, ''];
}

/** What was asked for, and is not as the cluster has it. */
function settingsNote({ role, service, guarantees }: Greeted, options: GreetingOptions): string[] {
  const { acks, failover } = guarantees;
  if (service === 'unadopted') return [];
  if ((options.acks === '0' && failover === 'auto') || (options.failover === 'auto' && acks === '0')) {
    const asked = options.acks === '0' ? '--acks 0' : '--failover auto';
    const has = options.acks === '0' ? '--failover auto' : '--acks 0';
    return [
      `  ${asked} is not taken: this cluster has ${has}, and the two exclude each other. Change that one first.`,
      '',
    ];
  }
  if (role === 'primary') return [];
  const waiting = [
    ...(options.acks === undefined || options.acks === acks ? [] : [`--acks ${options.acks}`]),
    ...(options.failover === undefined || options.failover === failover
      ? []
      : [`--failover ${options.failover}`]),
  ];
  if (waiting.length === 0) return [];
  const has = `--acks ${acks} and --failover ${failover}`;
  return [
    `  ${waiting.join(' and ')}: set once this node is the primary. Until then the cluster has ${has}.`,
    '',
  ];
}

function splitAddress(address: string): string[] {
  const at = address.lastIndexOf(':');
  return [address.slice(0, at).replace(/^\[|\]$/g, ''), address.slice(at + 1)];
}
