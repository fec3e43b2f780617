import type { Invocation } from '../invocation.js';
import { ACKS_0_WITH_AUTO } from '../../replication/changing.js';
import { readBounds } from '../bounds.js';
import { UsageError } from '../exit.js';
import {
  ACKS_POLICIES,
  DEFAULT_DB_PATH,
  FAILOVER_POLICIES,
  FSYNC_POLICIES,
  LOG_LEVELS,
  ROLES,
  SEGMENT_BYTES_MAX,
  SEGMENT_BYTES_MIN,
  readAddress,
  readChoice,
  readBytes,
  readNodeAddress,
} from '../options.js';
import type { ServerOptions } from '../options.js';
import { joinObjection } from '../start-options.js';

export async function run(invocation: Invocation): Promise<number> {
  const options = readServerOptions(invocation, process.env);
  const { runServer } = await import('../server.js');
  return runServer(options);
}

/** @throws UsageError for what cannot be meant. */
export function readServerOptions(invocation: Invocation, environment: NodeJS.ProcessEnv): ServerOptions {
  const options: ServerOptions = {
    address: readAddress(invocation, environment),
    dbPath: invocation.values.get('db-path') ?? DEFAULT_DB_PATH,
    fsync: readChoice(invocation, 'fsync', FSYNC_POLICIES, 'always'),
    clusterSecretFile: invocation.values.get('cluster-secret-file'),
    allowUnauthenticated: invocation.flags.has('allow-unauthenticated'),
    logLevel: readChoice(invocation, 'log-level', LOG_LEVELS, 'info'),
    segmentBytes: readBytes(invocation, 'log-segment-bytes', SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
    role: readChoice(invocation, 'role', ROLES, undefined),
    primary: readNodeAddress(invocation, 'primary'),
    join: readNodeAddress(invocation, 'join'),
    advertise: readNodeAddress(invocation, 'advertise'),
    acks: readChoice(invocation, 'acks', ACKS_POLICIES, undefined),
    failover: readChoice(invocation, 'failover', FAILOVER_POLICIES, undefined),
    ...readBounds(invocation),
  };
  checkTogether(options);
  return options;
}

/** Refuses options that make no sense beside each other. */
function checkTogether(options: ServerOptions): void {
  const { role, primary, join, acks, failover } = options;
  const objection = joinObjection(options);
  if (objection !== undefined) throw new UsageError(objection);
  if (role === 'backup' && primary === undefined && join === undefined) {
    throw new UsageError(
      '--role backup needs --join HOST:PORT, or --primary HOST:PORT: only that node may add it',
    );
  }
  if (role !== 'backup' && primary !== undefined) {
    throw new UsageError('--primary says which node a new backup follows: give --role backup with it');
  }
  if (acks === '0' && failover === 'auto') throw new UsageError(ACKS_0_WITH_AUTO);
}
