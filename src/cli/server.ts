import { pino, stdTimeFunctions, destination } from 'pino';
import type { DestinationStream } from 'pino';
import { systemClock } from '../clock.js';
import type { EventLog } from '../event-log.js';
import { endsForWantOfRoom, isDiskFull } from '../node/disk-room.js';
import { StorageFault } from '../storage/fault.js';
import { errorCode } from '../storage/files.js';
import { readClusterSecret } from './cluster-secret.js';
import { EXIT } from './exit.js';
import { greeting } from './greeting.js';
import type { ServerOptions } from './options.js';
import { StartFault, startServer } from './start-server.js';
import type { RunningNode } from './start-server.js';
import { boundYoungGeneration } from './young-generation.js';

/**
 * Under `npm start`, one Ctrl-C reaches the server twice: from the terminal, and passed on by npm. Only a
 * signal after this long is a second one.
 */
const SAME_SIGNAL_MS = 300;

/** Runs a server until a signal or a failure ends it, and answers the exit status. */
export async function runServer(options: ServerOptions): Promise<number> {
  const { secret, isOpenToOthers } = await readClusterSecret(options.clusterSecretFile, process.env);
  const events = makeEventLog(options.logLevel, await eventStream());
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
      role: options.role,
      primary: options.primary,
      advertise: options.advertise,
      join: options.join,
      acks: options.acks,
      failover: options.failover,
    });
  } catch (error) {
    process.stderr.write(`kv: ${startFaultLine(error)}\n`);
    return EXIT.refused;
  }
  let failure: Error | undefined;
  void node.failed.then((reason) => (failure = reason));
  const ended = Promise.race([signalled, node.failed]);
  const isEnded = await Promise.race([node.joined.then(() => false), ended.then(() => true)]);
  if (!isEnded) {
    sayReady(node, options, events);
    boundYoungGeneration();
  }
  await ended;
  const isClean = await stopCleanly(node, events);
  // The disk may also have failed during the stop.
  return isClean && failure === undefined ? EXIT.done : EXIT.failed;
}

function sayReady(node: RunningNode, options: ServerOptions, events: EventLog): void {
  // Whoever waits for others may have applied next to nothing of what is on its disk.
  const keys = node.service === 'serving' ? { keys: node.keys } : {};
  events.info({ address: node.address, ...keys, fsync: options.fsync }, 'ready');
  process.stdout.write(`${greeting(node, options, process.env).join('\n')}\n`);
}

/** Whether everything is on the disk as it should be. */
async function stopCleanly(node: RunningNode, events: EventLog): Promise<boolean> {
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
    return false;
  }
  return true;
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

function makeEventLog(level: string, stream: DestinationStream): EventLog {
  return pino({ level, base: null, timestamp: stdTimeFunctions.isoTime }, stream);
}

/** Readable lines on a terminal, one JSON object a line anywhere else. */
async function eventStream(): Promise<DestinationStream> {
  if (!process.stderr.isTTY) return destination({ dest: 2, sync: true });
  // Only a terminal waits for it: it takes longer to load than pino itself.
  const { default: pretty } = await import('pino-pretty');
  const colorize = process.env.NO_COLOR === undefined || process.env.NO_COLOR === '';
  return pretty({ destination: 2, sync: true, singleLine: true, colorize, translateTime: 'SYS:HH:MM:ss.l' });
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
