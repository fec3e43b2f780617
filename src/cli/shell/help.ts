import { usageOf } from '../../commands/command.js';
import { concernsTheConnection } from '../../client/effects.js';
import type { Command } from '../../commands/command.js';
import { findCommand } from '../../commands/resolve.js';
import { COMMANDS } from '../../commands/table.js';
import { closest } from '../closest.js';
import { twoColumns, wrap } from '../two-columns.js';
import { OWN_WORDS, usageOfOwn } from './own-words.js';

/** The commands that somebody would type here: not those of one framing, or about the connection, which is the client's. */
function typedCommands(): Command[] {
  return COMMANDS.filter(({ name, framing }) => framing !== 'resp' && !concernsTheConnection(name));
}

/** The names of everything that can be typed. */
export function typedNames(): string[] {
  return [...typedCommands(), ...OWN_WORDS].map(({ name }) => name);
}

/** What HELP prints, about everything or about one command, in this many columns. */
export function shellHelp(topic: string | undefined, columns: number): string[] {
  return topic === undefined ? overview(columns) : aboutOne(topic);
}

function overview(columns: number): string[] {
  const commands = typedCommands().map(
    (command) => [usageOf(command), withoutMarks(command.summary)] as const,
  );
  const own = OWN_WORDS.map((word) => [usageOfOwn(word), word.summary] as const);
  return [
    ...twoColumns(commands, columns - 1, USAGE_WIDTH_MAX),
    '',
    'Of the shell itself:',
    ...twoColumns(own, columns - 1, USAGE_WIDTH_MAX),
    '',
    ...wrap(NOTES, columns - 1),
  ];
}

const NOTES = [
  'A word that holds blanks stands in double quotes, with \\" \\\\ \\n \\r \\t \\xHH for what cannot be typed.',
  'The value of PUT is the rest of the line. Capitals do not matter in commands. A line that begins with # is a remark.',
].join(' ');

const USAGE_WIDTH_MAX = 30;

function aboutOne(topic: string): string[] {
  const command = findCommand({ bytes: Buffer.from(topic), start: 0, end: Buffer.byteLength(topic) });
  if (command !== undefined) {
    return [usageOf(command), withoutMarks(command.summary), `Answers ${withoutMarks(command.answers)}.`];
  }
  const own = OWN_WORDS.find(({ name }) => name === topic.toUpperCase());
  if (own !== undefined) return [usageOfOwn(own), own.summary];
  const close = closest(topic.toUpperCase(), typedNames());
  const hint = close === undefined ? 'HELP lists them' : `did you mean ${close}?`;
  return [`There is no command ${JSON.stringify(topic)}: ${hint}`];
}

/** The table of commands is written for the pages of the docs. */
function withoutMarks(text: string): string {
  return text.replaceAll('`', '').replaceAll('; see below.', '.');
}
