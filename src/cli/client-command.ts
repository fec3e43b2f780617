import type { CallOptions } from '../client/call.js';
import { createClient } from '../client/client.js';
import type { KvClient } from '../client/client.js';
import { KvError } from '../client/errors.js';
import { systemClock } from '../clock.js';
import type { Invocation } from './invocation.js';
import { CommandError } from './exit.js';
import { explain } from './explain.js';
import type { Target } from './explain.js';
import { readServerAddress, readTimeoutMs } from './options.js';

/** What a command that talks to a server works with. */
export interface ClientSession {
  readonly client: KvClient;
  /** When the command must have ended, on the system's clock. */
  readonly endMs: number;
  /** For every call: what is left of the time. */
  readonly remaining: () => CallOptions;
}

/** What to do about a change of who takes part when nobody knows whether it was made. */
export const WHEN_CHANGE_UNCONFIRMED = 'look at "kv status" before you try again';

/** Runs a command against the server that the command line names, and puts its errors into words. */
export function withClient(
  invocation: Invocation,
  work: (session: ClientSession) => Promise<number>,
): Promise<number> {
  const target: Target = {
    address: readServerAddress(invocation, process.env),
    option: '--address',
    timeoutMs: readTimeoutMs(invocation),
    whenUnconfirmed: 'read the key before you try again',
  };
  return withTarget(target, work);
}

/** The same for a command that says itself whom it talks to. */
export async function withTarget(
  target: Target,
  work: (session: ClientSession) => Promise<number>,
): Promise<number> {
  const { address, timeoutMs } = target;
  const endMs = systemClock.nowMs() + timeoutMs;
  const client = createClient({ address, timeoutMs, whenUnreachable: 'fail' });
  const remaining = (): CallOptions => ({ timeoutMs: Math.max(1, endMs - systemClock.nowMs()) });
  try {
    return await work({ client, endMs, remaining });
  } catch (error) {
    if (!(error instanceof KvError)) throw error;
    const { exitCode, message } = explain(error, target);
    throw new CommandError(exitCode, message);
  } finally {
    client.close();
  }
}

/** A key as the command line gives it. */
export function keyOperand(invocation: Invocation): Buffer {
  return Buffer.from(invocation.operands[0]?.text ?? '', 'utf8');
}
