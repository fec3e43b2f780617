import { GROUPS } from './command-spec.js';
import type { CommandSpec, Example } from './command-spec.js';
import { COMMANDS } from './command-table.js';
import { ADDRESS_OPTION, FORMAT_OPTION, GENERAL_OPTIONS, TIMEOUT_OPTION } from './options.js';
import type { OptionSpec } from './options.js';
import { twoColumns, wrap } from './two-columns.js';

const EXIT_CODES: readonly (readonly [string, string])[] = [
  ['0', 'done'],
  ['1', 'no such key'],
  ['2', 'the command line makes no sense'],
  ['3', 'the server cannot be reached, or the time is up'],
  ['4', 'not authorised'],
  ['5', 'refused, and not done; of a check: not whole, or in use'],
  ['6', 'unconfirmed: the write may have taken effect, or may yet'],
  ['130', 'a measurement was ended with Ctrl-C'],
];

const FIRST_STEPS: readonly Example[] = [
  { line: 'kv server', meaning: 'start a server, in a terminal of its own' },
  { line: 'kv put mykey "hello world"', meaning: 'set a key' },
  { line: 'kv get mykey', meaning: 'print its value' },
  { line: "kv keys 'my*'", meaning: 'list the keys that match' },
  { line: 'date | kv put now -', meaning: 'take the value from stdin' },
  { line: 'kv shell', meaning: 'type commands, with history and completion' },
];

/** The most that reads well. */
const COLUMNS_MAX = 110;
const LEFT_MAX = 36;

/** Help on one command, or on everything, for a page of so many columns. Ends with a line break. */
export function helpText(command: CommandSpec | undefined, columns: number): string {
  const width = Math.min(COLUMNS_MAX, columns);
  return `${(command === undefined ? overview(width) : details(command, width)).join('\n')}\n`;
}

/** The one line that shows how a command is written. */
export function usageLine(command: CommandSpec | undefined): string {
  if (command === undefined) return 'usage: kv COMMAND [options]; "kv help" lists the commands';
  return `usage: ${form(command)}; "kv help ${command.name}" explains them`;
}

function form({ name, operands, options }: CommandSpec): string {
  const needed = options.filter((option) => option.isRequired === true).map((option) => optionRow(option)[0]);
  const words = [name, operands, ...needed].filter((word) => word !== '');
  return `kv ${words.join(' ')} [options]`;
}

function overview(columns: number): string[] {
  const groups = GROUPS.flatMap((group) => {
    const rows = COMMANDS.filter((command) => command.group === group).map(
      (command) => [`kv ${command.name} ${command.operands}`.trimEnd(), command.summary] as const,
    );
    return rows.length === 0 ? [] : section(group, rows, columns);
  });
  const options = [ADDRESS_OPTION, TIMEOUT_OPTION, FORMAT_OPTION, ...GENERAL_OPTIONS];
  return [
    'kv: the command line of Understudy, a replicated key-value store',
    '',
    'Usage: kv COMMAND [options]',
    ...groups,
    ...section('Options, before or after the command', options.map(optionRow), columns),
    ...section('First steps', FIRST_STEPS.map(exampleRow), columns),
    ...section('Exit status', EXIT_CODES, columns),
    '',
    '"kv help COMMAND" says more about one command.',
  ];
}

function details(command: CommandSpec, columns: number): string[] {
  const notes = command.notes.length === 0 ? [] : ['', ...wrap(command.notes.join(' '), columns)];
  return [
    `kv ${command.name}: ${command.summary}`,
    '',
    `Usage: ${form(command)}`,
    ...notes,
    ...optionSections([...command.options, ...GENERAL_OPTIONS.slice(0, 1)], columns),
    ...section('Examples', command.examples.map(exampleRow), columns),
  ];
}

/** Those without a heading of their own first. */
function optionSections(options: readonly OptionSpec[], columns: number): string[] {
  const titles = new Set(options.map((option) => option.section ?? 'Options'));
  return [...titles].flatMap((title) =>
    section(
      title,
      options.filter((option) => (option.section ?? 'Options') === title).map(optionRow),
      columns,
    ),
  );
}

function optionRow(option: OptionSpec): readonly [string, string] {
  const operand = option.operand === undefined ? '' : ` ${option.operand}`;
  const otherwise = option.shownDefault === undefined ? '' : ` (${option.shownDefault})`;
  return [`--${option.name}${operand}`, `${option.description}${otherwise}`];
}

function exampleRow(example: Example): readonly [string, string] {
  return [example.line, example.meaning];
}

function section(title: string, rows: readonly (readonly [string, string])[], columns: number): string[] {
  return ['', `${title}:`, ...twoColumns(rows, columns, LEFT_MAX)];
}
