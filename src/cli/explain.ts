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

export function explain(error: KvError, address: Address, timeoutMs: number): Explanation {
  const where = showAddress(address);
  const message = plainText(error.message);
  if (error.outcomeUnknown) {
    const advice = 'read the key before you try again';
    return { exitCode: EXIT.unconfirmed, message: `unconfirmed: ${message}: ${advice} (${error.code})` };
  }
  if (error.code === 'UNREACHABLE' && isRefusedConnection(error.cause)) {
    const advice = 'start a server with "kv server", or name another with --address';
    return { exitCode: EXIT.unreachable, message: `nothing listens at ${where}: ${advice}` };
  }
  if (error.code === 'TIMEOUT') {
    const advice = 'see whether the server is well, or allow more with --timeout';
    const seconds = String(timeoutMs / 1000);
    return { exitCode: EXIT.unreachable, message: `no answer from ${where} within ${seconds} s: ${advice}` };
  }
  if (UNREACHABLE.has(error.code)) return { exitCode: EXIT.unreachable, message };
  const exitCode = NOT_AUTHORISED.has(error.code) ? EXIT.notAuthorised : EXIT.refused;
  return { exitCode, message: `${message} (${error.code})` };
}

function isRefusedConnection(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED';
}
