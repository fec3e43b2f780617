import { UNREADABLE } from './arrows.js';
import type { Arrow } from './arrows.js';

/**
 * Who may know whom. A room is a folder of `src` or one file that stands directly in it; what is not in this
 * table is not allowed. An entry names a room, or one file of a room.
 */
interface Row {
  readonly values: readonly string[];
  /** Besides `values`, and besides the seam: everybody may name the types of `engine`. */
  readonly types?: readonly string[];
}

const ROOMS = new Map<string, Row>([
  ['engine', { values: ['copying'] }],
  ['clock', { values: [] }],
  ['copying', { values: [] }],
  ['event-log', { values: [] }],
  ['log', { values: ['copying'] }],
  ['protocol', { values: ['engine', 'copying'] }],
  ['store', { values: ['engine', 'clock', 'copying'] }],
  ['replication', { values: ['engine', 'log'] }],
  ['storage', { values: ['engine', 'log', 'clock', 'copying'] }],
  ['node', { values: ['engine', 'clock', 'log', 'store', 'replication'], types: ['storage', 'event-log'] }],
  ['commands', { values: ['engine', 'protocol', 'clock', 'log'] }],
  [
    'server',
    {
      values: ['engine', 'clock', 'log', 'commands', 'protocol', 'client/address'],
      types: ['event-log', 'replication', 'node'],
    },
  ],
  ['client', { values: ['engine', 'clock', 'protocol'] }],
  [
    'cli',
    {
      values: [
        'engine',
        'clock',
        'log',
        'protocol',
        'store',
        'replication',
        'storage',
        'node',
        'commands',
        'server',
        'client',
      ],
      types: ['event-log'],
    },
  ],
  ['index', { values: ['client', 'cli/start-server', 'engine'], types: ['event-log'] }],
]);

/** Parts of Node that reach the outside, and the rooms that are there to do so. */
const REACHING_OUT = new Map<string, readonly string[]>([
  ['node:fs', ['storage', 'cli']],
  ['node:fs/promises', ['storage', 'cli']],
  ['node:net', ['server', 'client', 'cli']],
]);

/** Why this arrow must not be; undefined when it may. */
export function objection(arrow: Arrow): string | undefined {
  const { from, to } = arrow;
  const room = roomOf(from);
  const row = ROOMS.get(room);
  if (row === undefined) return `${arrow.place}: the room ${room} has no row in the table of imports`;
  if (to === UNREADABLE || to.startsWith('.'))
    return `${arrow.place}: ${to} is no file of src that can be read here`;
  if (!to.startsWith('src/')) return reachingOut(arrow, room);
  const toRoom = roomOf(to);
  if (toRoom === room && from !== to) return undefined;
  if (allows(row.values, to)) return undefined;
  if (arrow.typeOnly && (toRoom === 'engine' || allows(row.types ?? [], to))) return undefined;
  return `${arrow.place}: ${room} must not ${arrow.typeOnly ? 'name the types of' : 'import'} ${to}`;
}

function reachingOut(arrow: Arrow, room: string): string | undefined {
  const rooms = REACHING_OUT.get(arrow.to);
  if (arrow.typeOnly || rooms === undefined || rooms.includes(room)) return undefined;
  return `${arrow.place}: ${room} must not import ${arrow.to}`;
}

function allows(entries: readonly string[], to: string): boolean {
  return entries.includes(roomOf(to)) || entries.includes(to.replace(/^src\//, '').replace(/\.ts$/, ''));
}

/** `log` for `src/log/term.ts`, `engine` for `src/engine.ts`. */
function roomOf(file: string): string {
  const [, first, ...rest] = file.split('/');
  if (first === undefined) throw new Error(`${file} does not lie in src`);
  return rest.length === 0 ? first.replace(/\.ts$/, '') : first;
}
