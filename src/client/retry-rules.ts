import { isInvalid, parseAddress } from '../protocol/address.js';
import type { Address } from '../protocol/address.js';
import type { Call } from './call.js';
import type { Loss } from './connection.js';
import type { KvError } from './errors.js';

/** What the rules ask of the client that a call belongs to. */
export interface RetrySettings {
  /** Whether calls wait, until their deadline, for a server that is out of reach. */
  readonly waits: boolean;
  /** Whether there is one address, and so nobody else who may serve. */
  readonly isSingle: boolean;
}

/** How often a read is sent whose connection breaks before it is answered: it may be what breaks them. */
const READ_LOSSES_MAX = 4;
/** The same for a numbered write, which may live through several changes of the primary. */
const WRITE_LOSSES_MAX = 16;

/** Refusals of a node that is not the primary, or may not be for much longer. */
export const OF_THE_OFFICE: ReadonlySet<string> = new Set(['NOT_PRIMARY', 'NO_QUORUM', 'UNCONFIRMED']);

/** Whether a call may be sent again whose connection broke. `hadLeft`: a byte of it may have left there. */
export function mayGoAgain(call: Call, loss: Loss, hadLeft: boolean, { waits }: RetrySettings): boolean {
  if (!waits || loss.code === 'BAD_REPLY' || loss.code === 'CLOSED' || isOpening(call)) return false;
  if (!hadLeft) return true;
  if (call.request.effect === 'reads') return call.losses < READ_LOSSES_MAX;
  return call.ticket !== undefined && call.losses < WRITE_LOSSES_MAX;
}

/** Whether a call is better tried again in a moment than ended with this refusal. */
export function isRefusedForNow(call: Call, refusal: KvError, { waits, isSingle }: RetrySettings): boolean {
  const { effect } = call.request;
  if (!waits || call.only !== undefined || effect === 'manages') return false;
  const mayServeElsewhere = refusal.code === 'NOT_PRIMARY' || refusal.code === 'NO_QUORUM';
  if (mayServeElsewhere && !isSingle) return true;
  // Nothing but the answer to the same number tells what became of a write that was sent before.
  const isOpen = call.wasSent || refusal.code === 'UNCONFIRMED';
  return call.ticket !== undefined && isOpen && refusal.retryable && refusal.code !== 'SESSION_EXPIRED';
}

/** Where the primary is by a refusal that begins with its address. */
export function namedPrimary(refusal: KvError): Address | undefined {
  const address = parseAddress(refusal.message.split(' ', 1)[0] ?? '');
  return isInvalid(address) || address.port === 0 ? undefined : address;
}

/** Where a session is opened is decided anew each time. */
function isOpening(call: Call): boolean {
  return call.request.effect === 'manages' && call.only !== undefined;
}
