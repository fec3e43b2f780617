import { showAddress } from '../client/address.js';
import type { Address } from '../client/address.js';
import type { KvError } from '../client/errors.js';
import { EXIT } from './exit.js';
import { plainText } from './output.js';

/** What went wrong with a call, in the words of the command line: one line, and the exit code. */
export interface Explanation {
  readonly exitCode: number;
  readonly message: string;
}

const UNREACHABLE: ReadonlySet<string> = new Set([
  'UNREACHABLE',
  'TIMEOUT',
  'ABORTED',
  'CONNECTION_LOST',
  'CLOSED',
  'BAD_REPLY',
]);
/** Codes of servers that ask who is calling. */
const NOT_AUTHORISED: ReadonlySet<string> = new Set(['NOT_AUTHORISED', 'NOAUTH', 'WRONGPASS', 'NOPERM']);

/** Whom a command talks to, and for how long. */
export interface Target {
  readonly address: Address;
  /** What names another one: an option, or a word of the shell. */
  readonly option: '--address' | '--primary' | 'CONNECT';
  readonly timeoutMs: number;
  /** What to do when nobody knows whether it was done. */
  readonly whenUnconfirmed: string;
}

export function explain(error: KvError, target: Target): Explanation {
  const message = plainText(error.message);
  if (error.outcomeUnknown) {
    const told = `unconfirmed: ${message}: ${target.whenUnconfirmed} (${error.code})`;
    return { exitCode: EXIT.unconfirmed, message: told };
  }
  if (!error.answered && UNREACHABLE.has(error.code)) {
    return { exitCode: EXIT.unreachable, message: unreachable(error, message, target) };
  }
  const exitCode = NOT_AUTHORISED.has(error.code) ? EXIT.notAuthorised : EXIT.refused;
  return { exitCode, message: `${message} (${error.code})` };
}

function unreachable(error: KvError, message: string, target: Target): string {
  const where = showAddress(target.address);
  if (error.code === 'TIMEOUT') {
    const advice = 'see whether the server is well, or allow more with --timeout';
    return `no answer from ${where} within ${String(target.timeoutMs / 1000)} s: ${advice}`;
  }
  // A connection names the node at its other end, which is another one when the call was sent on.
  if (error.code === 'UNREACHABLE' && !message.includes(where)) {
    const advice =
      'nothing can be written until there is one: the members make another with --failover auto, otherwise "kv promote" does';
    return `${where} is a backup, and its primary is out of reach: ${message}; ${advice}`;
  }
  if (error.code !== 'UNREACHABLE' || !isRefusedConnection(error.cause)) return message;
  return `nothing listens at ${where}: start a server with "kv server", or name another with ${target.option}`;
}

function isRefusedConnection(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED';
}
