import type { Effect } from './call.js';

/** What is known to change nothing, and so may be asked again when its answer was lost. */
const READS: ReadonlySet<string> = new Set([
  'COMMAND',
  'CONFIG',
  'DBSIZE',
  'ECHO',
  'EXISTS',
  'GET',
  'HEARTBEAT',
  'INFO',
  'KEYS',
  'MGET',
  'PING',
  'SCAN',
  'SELECT',
  'STATUS',
]);
const WRITES: ReadonlySet<string> = new Set(['DEL', 'DELETE', 'MSET', 'PUT', 'SET']);
/** What changes the connection itself, which all calls of a client share. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  'CLIENT',
  'HELLO',
  'QUIT',
  'REPLICATE',
  'RESET',
  'SESSION',
]);

/**
 * What a command does, by its name. One that is not known here is handled with most care: it is sent once, to one
 * node, and when its answer is lost it may have had an effect.
 */
export function effectOf(name: string): Effect {
  const upper = name.toUpperCase();
  if (READS.has(upper)) return 'reads';
  return WRITES.has(upper) ? 'writes' : 'manages';
}

export function concernsTheConnection(name: string): boolean {
  return OF_THE_CONNECTION.has(name.toUpperCase());
}
