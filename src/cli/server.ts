import { pino, stdTimeFunctions, destination } from 'pino';
import pretty from 'pino-pretty';
import { DEFAULT_ADDRESS, showAddress } from '../client/address.js';
import { systemClock } from '../clock.js';
import type { EventLog } from '../event-log.js';
import { termCount } from '../log/term.js';
import { endsForWantOfRoom, isDiskFull } from '../node/disk-room.js';
import { StorageFault } from '../storage/fault.js';
import { errorCode } from '../storage/files.js';
import { readClusterSecret } from './cluster-secret.js';
import { EXIT } from './exit.js';
import type { ServerOptions } from './options.js';
import { StartFault, startServer } from './start-server.js';
import type { RunningNode } from './start-server.js';

/**
 * Under `npm start`, one Ctrl-C reaches the server twice: from the terminal, and passed on by npm. Only a
 * signal after this long is a second one.
 */
const SAME_SIGNAL_MS = 300;

/** Runs a server until a signal or a failure ends it, and answers the exit status. */
export async function runServer(options: ServerOptions): Promise<number> {
  const { secret, isOpenToOthers } = await readClusterSecret(options.clusterSecretFile, process.env);
  const events = makeEventLog(options.logLevel);
  if (isOpenToOthers) {
    const file = options.clusterSecretFile;
    events.warn({ file }, 'others than its owner may read the secret of the cluster: "chmod 600" the file');
  }
  const signalled = firstSignal(events);
  let node: RunningNode;
  try {
    node = await startServer({
      address: options.address,
      dbPath: options.dbPath,
      fsync: options.fsync,
      clusterSecret: secret,
      allowUnauthenticated: options.allowUnauthenticated,
      events,
      limits: options.limits,
      dataBytesMax: options.dataBytesMax,
      readsBehindMaxMs: options.readsBehindMaxMs,
      sessionIdleMs: options.sessionIdleMs,
      ...(options.segmentBytes === undefined ? {} : { segmentBytes: options.segmentBytes }),
      ...(options.role === undefined ? {} : { role: options.role }),
      ...(options.primary === undefined ? {} : { primary: options.primary }),
      ...(options.advertise === undefined ? {} : { advertise: options.advertise }),
      ...(options.acks === undefined ? {} : { acks: options.acks }),
    });
  } catch (error) {
    process.stderr.write(`kv: ${startFaultLine(error)}\n`);
    return EXIT.refused;
  }
  // Whoever waits for others may have applied next to nothing of what is on its disk.
  const keys = node.service === 'serving' ? { keys: node.keys } : {};
  events.info({ address: node.address, ...keys, fsync: options.fsync }, 'ready');
  greet(node, options);
  let failure: Error | undefined;
  void node.failed.then((reason) => (failure = reason));
  await Promise.race([signalled, node.failed]);
  try {
    await node.stop();
  } catch (error) {
    if (isDiskFull(error)) {
      const untouched = 'the JSON file and node.json are not up to date';
      events.error(
        {},
        `the disk is full: ${untouched}; nothing is lost, the log is recovered at the next start`,
      );
    } else {
      events.error({ err: error }, 'the stop was not a clean one; the log is recovered at the next start');
    }
    return EXIT.failed;
  }
  // The disk may also have failed during the stop.
  return failure === undefined ? EXIT.done : EXIT.failed;
}

function startFaultLine(error: unknown): string {
  if (error instanceof StartFault || error instanceof StorageFault) return error.message;
  const message = error instanceof Error ? error.message : String(error);
  if (endsForWantOfRoom(error)) return `${message}: make room on the disk`;
  switch (errorCode(error)) {
    case 'EACCES':
    case 'EPERM':
      return `${message}: give the user who runs the server the right to read and write the data`;
    case 'EISDIR':
    case 'ENOTDIR':
      return `${message}: --db-path names a file, in a directory that is there`;
    default:
      return `${message}: the server did not start`;
  }
}

/** Readable lines on a terminal, one JSON object a line anywhere else. */
function makeEventLog(level: string): EventLog {
  const options = { level, base: null, timestamp: stdTimeFunctions.isoTime };
  if (!process.stderr.isTTY) return pino(options, destination({ dest: 2, sync: true }));
  const colorize = process.env.NO_COLOR === undefined || process.env.NO_COLOR === '';
  return pino(
    options,
    pretty({ destination: 2, sync: true, singleLine: true, colorize, translateTime: 'SYS:HH:MM:ss.l' }),
  );
}

/** The first signal asks the server to finish; another one ends the process at once. */
function firstSignal(events: EventLog): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let firstMs: number | undefined;
    const onSignal = (signal: NodeJS.Signals, number: number): void => {
      const nowMs = systemClock.nowMs();
      if (firstMs === undefined) {
        firstMs = nowMs;
        events.info({ signal }, 'stopping; once more to stop at once');
        resolve(signal);
      } else if (nowMs - firstMs > SAME_SIGNAL_MS) {
        events.warn({ signal }, 'stopped at once; the log is recovered at the next start');
        process.exit(128 + number);
      }
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

/** The line for scripts, then what a person may want to type next. */
function greet(node: RunningNode, options: ServerOptions): void {
  process.stdout.write(`${greeting(node, options, process.env).join('\n')}\n`);
}

/** The lines of the greeting, the one for scripts first. */
export function greeting(
  node: Pick<RunningNode, 'address' | 'role' | 'service' | 'term' | 'keys' | 'isDiskFull'>,
  options: Pick<ServerOptions, 'dbPath' | 'primary' | 'advertise'>,
  environment: NodeJS.ProcessEnv,
): string[] {
  const { address, role, service, term, keys, isDiskFull } = node;
  const kv = environment.npm_lifecycle_event === undefined ? 'kv' : 'npx kv';
  return [
    `ready ${address} role=${role} term=${String(termCount(term))}`,
    '',
    `  ${service === 'serving' ? showCount(keys) : 'The data is'} in ${options.dbPath}. In another terminal:`,
    '',
    ...(isDiskFull ? FULL_DISK : []),
    ...(role === 'primary' ? firstCalls(kv, address) : firstStepsOfBackup(kv, address, options)),
    '',
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
  address: string,
  { primary, advertise }: Pick<ServerOptions, 'primary' | 'advertise'>,
): string[] {
  const status = `    ${kv} status --address ${address}`;
  if (primary === undefined) return [status];
  const reachedAt = advertise === undefined ? address : showAddress(advertise);
  return [`    ${kv} add-backup --primary ${showAddress(primary)} --backup ${reachedAt}`, status];
}

function splitAddress(address: string): string[] {
  const at = address.lastIndexOf(':');
  return [address.slice(0, at).replace(/^\[|\]$/g, ''), address.slice(at + 1)];
}
