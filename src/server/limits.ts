import { DEFAULT_REQUEST_LIMITS, LARGEST_REQUEST_LIMITS } from '../protocol/limits.js';
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

/** The bounds of a server that was not told others. */
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

/** What links between nodes may take. */
export interface LinkLimits {
  /** One message. It holds a frame with the largest request. No memory is taken for what has not arrived. */
  readonly messageBytesMax: number;
  /** What waits to be sent to one peer. Whoever sends keeps a window that is far smaller: past this the link is closed. */
  readonly queuedBytesMax: number;
  /** Links that others opened. */
  readonly incomingMax: number;
  /** From the begin of an attempt to the end of the handshake. */
  readonly handshakeMs: number;
  /** Connections that others opened and on which nobody has proved yet to be a node. */
  readonly handshakesMax: number;
  /** Addresses that are asked at one time who is there. */
  readonly identifyingMax: number;
  /** Messages that are not whole, over all links. */
  readonly assemblyBytesMax: number;
}

const MIB = 1024 * 1024;
/** In a frame four bytes stand in front of each word, and the fields of the message in front of it. */
const WORD_HEAD_BYTES = 4;
const MESSAGE_HEAD_ROOM_BYTES = 5 * MIB;

const MESSAGE_BYTES_MAX = frameBytes(LARGEST_REQUEST_LIMITS) + MESSAGE_HEAD_ROOM_BYTES;

/**
 * The same on every node, whatever it takes from its own clients: a backup follows whatever its primary accepted, and one that
 * could not would never catch up.
 */
export const LINK_LIMITS: LinkLimits = {
  messageBytesMax: MESSAGE_BYTES_MAX,
  queuedBytesMax: MESSAGE_BYTES_MAX + 24 * MIB,
  incomingMax: 64,
  handshakeMs: 3000,
  handshakesMax: 128,
  identifyingMax: 16,
  // Three of the largest messages at once, of the old primary and of two that supply what a new one lacks, and room.
  assemblyBytesMax: 1024 * MIB,
};

function frameBytes(request: RequestLimits): number {
  return request.requestBytesMax + WORD_HEAD_BYTES * request.wordsMax;
}

/** How often links are looked after. */
export const LINK_TICK_MS = 1000;
/** After this many ticks of silence the end that opened a link asks whether the other is there. */
export const ASK_AFTER_TICKS = 5;
/** After this many ticks of silence a link is closed. */
export const SILENT_AFTER_TICKS = 15;
/** After this many ticks a link is said to work, and what was held against its host is forgotten. */
export const WORKS_AFTER_TICKS = 10;
