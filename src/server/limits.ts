import { DEFAULT_REQUEST_LIMITS } from '../protocol/limits.js';
import type { RequestLimits } from '../protocol/limits.js';

/** What clients may ask of a server. Past a bound there is an error, never a surprise. */
export interface ServerLimits {
  readonly request: RequestLimits;
  readonly connectionsMax: number;
  /** A request that was begun is complete by then. */
  readonly incompleteRequestMs: number;
  /** Replies that one client has not taken. Reading from it pauses long before. */
  readonly unreadReplyBytesMax: number;
  /** Everything that waits in buffers, over all connections: requests that are not complete or not answered, and replies. */
  readonly bufferBytesMax: number;
  /** Requests of one connection that were read and not answered. Reading from it pauses at this many. */
  readonly pendingRequestsMax: number;
  /** How long a stopping server waits for its clients to take their replies. */
  readonly drainMs: number;
}

export const DEFAULT_SERVER_LIMITS: ServerLimits = {
  request: DEFAULT_REQUEST_LIMITS,
  connectionsMax: 10_000,
  incompleteRequestMs: 30_000,
  unreadReplyBytesMax: 256 * 1024 * 1024,
  bufferBytesMax: 1024 * 1024 * 1024,
  pendingRequestsMax: 16_384,
  drainMs: 5_000,
};

/** Replies that wait in one connection before reading from its client pauses. */
export const PAUSE_BYTES = 1024 * 1024;

/** How long a client may keep its side open after this side ended. */
export const LINGER_MS = 1000;
