import type { ErrorCode } from '../engine.js';

/** Codes that the client gives itself, beside those that a server answers with. */
export const CLIENT_ERROR_CODES = [
  /** The deadline passed. */
  'TIMEOUT',
  /** The caller's AbortSignal fired. */
  'ABORTED',
  /** The connection broke while the call was under way. */
  'CONNECTION_LOST',
  /** What arrived is not a reply of this protocol. */
  'BAD_REPLY',
  /** The client was closed. */
  'CLOSED',
  /** An option or argument of this library makes no sense. */
  'BAD_OPTION',
  /** A key or a value is not valid UTF-8, and the client was made to answer strings. */
  'NOT_TEXT',
  /** The server that a scan began at is out of reach, or another one answers by now: begin the scan anew. */
  'SCAN_INTERRUPTED',
] as const;
/** One of the codes that the client gives itself. */
export type ClientErrorCode = (typeof CLIENT_ERROR_CODES)[number];

/**
 * A server's code (some of which the client gives too: `UNREACHABLE`, `BUSY`, `TOO_LARGE`, `SYNTAX`), or one of the
 * client's own. A newer server may answer with a code that is not listed here.
 */
export type KvErrorCode = ErrorCode | ClientErrorCode | (string & Record<never, never>);

/** Codes whose reason may pass by itself. */
const PASSING: ReadonlySet<string> = new Set([
  'BUSY',
  'DISK_FULL',
  'NOT_PRIMARY',
  'NO_QUORUM',
  'UNCONFIRMED',
  'UNREACHABLE',
  'LAGGING',
  'TIMEOUT',
  'CONNECTION_LOST',
  'SCAN_INTERRUPTED',
  'SESSION_EXPIRED',
]);

/** Why a call was not done. The message says what happened and what to do, on one line. */
export class KvError extends Error {
  override readonly name = 'KvError';
  readonly code: KvErrorCode;
  /** The reason may pass by itself, so that the same call may succeed later. See `outcomeUnknown` first. */
  readonly retryable: boolean;
  /**
   * The call is a write that may or may not have taken effect, or may yet. True exactly when any byte of it may
   * have left and no answer settled it.
   */
  readonly outcomeUnknown: boolean;
  /** A server answered so. Otherwise the client found it out by itself. */
  readonly answered: boolean;

  constructor(
    code: KvErrorCode,
    message: string,
    details: { outcomeUnknown?: boolean; answered?: boolean; cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retryable = PASSING.has(code);
    this.outcomeUnknown = details.outcomeUnknown ?? false;
    this.answered = details.answered ?? false;
  }
}
