import { readCommandLine } from '../../src/cli/command-line.js';
import { readServerOptions } from '../../src/cli/commands/server.js';
import { UsageError } from '../../src/cli/exit.js';
import type { ServerOptions } from '../../src/cli/options.js';

/** What `kv server` with these words is told. */
export function serverOptions(words: readonly string[], environment: NodeJS.ProcessEnv = {}): ServerOptions {
  const read = readCommandLine(['server', ...words]);
  if (read.kind !== 'run') throw new UsageError(JSON.stringify(read));
  return readServerOptions(read.invocation, environment);
}
