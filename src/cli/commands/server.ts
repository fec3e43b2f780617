import type { Invocation } from '../invocation.js';
import { UsageError } from '../exit.js';
import {
  FSYNC_POLICIES,
  LOG_LEVELS,
  ROLES,
  SEGMENT_BYTES_MAX,
  SEGMENT_BYTES_MIN,
  readAddress,
  readChoice,
  readInteger,
} from '../options.js';
import type { ServerOptions } from '../options.js';

const DB_PATH = 'kv-store.json';

export async function run(invocation: Invocation): Promise<number> {
  const options = readServerOptions(invocation, process.env);
  const { runServer } = await import('../server.js');
  return runServer(options);
}

/** @throws UsageError for what cannot be meant, and for what is not available yet. */
export function readServerOptions(invocation: Invocation, environment: NodeJS.ProcessEnv): ServerOptions {
  if (readChoice(invocation, 'role', ROLES, 'primary') === 'backup') {
    throw new UsageError('--role backup is not available yet: this version runs a primary alone');
  }
  if (invocation.values.has('primary')) {
    throw new UsageError('--primary is for --role backup, which is not available yet');
  }
  return {
    address: readAddress(invocation, environment),
    dbPath: invocation.values.get('db-path') ?? DB_PATH,
    fsync: readChoice(invocation, 'fsync', FSYNC_POLICIES, 'always'),
    allowUnauthenticated: invocation.flags.has('allow-unauthenticated'),
    logLevel: readChoice(invocation, 'log-level', LOG_LEVELS, 'info'),
    segmentBytes: readInteger(invocation, 'log-segment-bytes', SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
  };
}
