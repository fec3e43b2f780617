import { usageOf } from '../../commands/command.js';
import type { Command } from '../../commands/command.js';
import { findCommand } from '../../commands/resolve.js';
import type { Clock } from '../../clock.js';
import { QUOTED_BYTES_PER_BYTE_MAX, writeQuoted } from '../../protocol/quoting.js';
import { plainText, showOnTerminal } from '../output.js';
import { typedNames } from './help.js';
import { keysWithPrefix } from './key-lookup.js';
import type { ShellSession } from './session.js';
import { typedWords } from './typed-words.js';
import type { TypedWord } from './typed-words.js';

/** What could stand where somebody types, and the text there that each of it would replace: readline's own terms. */
export type Completions = [candidates: string[], typed: string];

/** Stands among keys that are not all: so the shell fills in nothing that may be wrong. */
const AND_MORE = '…';
const BOUNDS = { keysMax: 100, timeoutMs: 500 };
const NONE: Completions = [[], ''];

/** Completes the last word of what stands before the cursor. Ends within its time whatever the server does. */
export async function complete(
  line: string,
  session: Pick<ShellSession, 'ask'>,
  clock: Clock,
): Promise<Completions> {
  const bytes = Buffer.from(line, 'utf8');
  const words = typedWords(bytes);
  const last = words.at(-1);
  const current = last?.isOpen === true ? last : emptyWord(bytes.length);
  const before = words.filter((word) => word !== current);
  if (current.bytes === undefined) return NONE;
  const typed = bytes.toString('utf8', current.start);
  const name = before[0]?.bytes?.toString('utf8').toUpperCase();
  if (name === undefined) return [chosen(typed, typedNames()), typed];
  if (name === 'HELP') return [before.length > 1 ? [] : chosen(typed, typedNames()), typed];
  const command = findCommand({ bytes: Buffer.from(name), start: 0, end: Buffer.byteLength(name) });
  if (name === 'CONNECT' || name === 'REMOVE_BACKUP') {
    if (before.length === 1) return [chosen(typed, await memberAddresses(session, name)), typed];
  }
  if (command === undefined) return NONE;
  if (takesKey(command, before.length)) return [await keys(current, typed, session, clock), typed];
  return [chosen(typed, furtherWords(command, before)), typed];
}

function emptyWord(at: number): TypedWord {
  return { start: at, end: at, bytes: Buffer.alloc(0), isQuoted: false, isOpen: true };
}

/** Those that begin as what was typed, in small letters if it was; with a blank behind the only one. */
function chosen(typed: string, names: readonly string[]): string[] {
  const small = typed !== '' && typed === typed.toLowerCase();
  const found = names
    .filter((name) => name.toUpperCase().startsWith(typed.toUpperCase()))
    .map((name) => (small ? name.toLowerCase() : name));
  return found.length === 1 ? found.map((name) => `${name} `) : found;
}

/** Whether the word at this place (the command's name is at 0) is a key. */
function takesKey({ shape }: Command, at: number): boolean {
  if (shape === 'keys') return true;
  if (shape === 'entries') return at % 2 === 1;
  return (shape === 'key' || shape === 'entry') && at === 1;
}

/** Words in capitals that the command's usage names and that were not said yet, such as `MATCH` or `BACKUP_IS_DOWN`. */
function furtherWords(command: Command, before: readonly TypedWord[]): string[] {
  const said = new Set(before.slice(1).map((word) => word.bytes?.toString('utf8').toUpperCase()));
  const { consents } = command;
  if (consents !== undefined) {
    const next = consents.find((consent) => !said.has(consent));
    const isInOrder = next !== undefined && consents.indexOf(next) === before.length - placesBefore(command);
    return isInOrder ? [next] : [];
  }
  const named =
    usageOf(command)
      .split(' ')
      .slice(1)
      .join(' ')
      .match(/\b[A-Z][A-Z_]+\b/g) ?? [];
  return named.filter((word) => !said.has(word));
}

function placesBefore({ shape }: Command): number {
  return shape === 'nothing' ? 1 : 2;
}

async function keys(
  current: TypedWord,
  typed: string,
  session: Pick<ShellSession, 'ask'>,
  clock: Clock,
): Promise<string[]> {
  const prefix = current.bytes ?? Buffer.alloc(0);
  const { keys: found, isPartial } = await keysWithPrefix(session, prefix, BOUNDS, () => clock.nowMs());
  if (found.length === 0) return [];
  const sorted = [...found].sort((one, other) => one.compare(other));
  const bare = sorted.map((key) => showOnTerminal(key, false));
  // One way of writing for all where something can be filled in, or they would have no beginning in common.
  const hasQuoted = bare.some((key) => key.startsWith('"'));
  const isQuoted = typed.startsWith('"') || (hasQuoted && shareMoreThan(prefix.length, sorted));
  const shown = isQuoted ? sorted.map(quoted) : bare;
  if (isPartial) return [...shown, AND_MORE];
  return shown.length === 1 ? shown.map((key) => `${key} `) : shown;
}

/** Whether all of these sorted keys begin with the same bytes, more of them than this. */
function shareMoreThan(length: number, sorted: readonly Buffer[]): boolean {
  const [first, last] = [sorted[0], sorted.at(-1)];
  return first !== undefined && last !== undefined && first.length > length && first[length] === last[length];
}

function quoted(key: Buffer): string {
  const shown = showOnTerminal(key, false);
  if (shown.startsWith('"')) return shown;
  const target = Buffer.allocUnsafe(QUOTED_BYTES_PER_BYTE_MAX * key.length + 2);
  return target.toString('utf8', 0, writeQuoted(target, 0, key, 0, key.length));
}

/** Where the members are, as STATUS says; a primary cannot be removed. */
async function memberAddresses(session: Pick<ShellSession, 'ask'>, name: string): Promise<string[]> {
  const reply = await session.ask(['STATUS'], BOUNDS.timeoutMs);
  if (reply?.kind !== 'list') return [];
  return reply.items
    .map((item) => (item.kind === 'value' ? item.bytes.toString('utf8') : ''))
    .filter((line) => name === 'CONNECT' || !line.includes(' role=primary '))
    .map((line) => plainText(/^member=(\S+)/.exec(line)?.[1] ?? ''))
    .filter((address) => address !== '');
}
