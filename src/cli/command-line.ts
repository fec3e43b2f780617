import parseArguments from 'yargs-parser';
import { closest } from './closest.js';
import { COMMANDS } from './command-table.js';
import type { CommandSpec } from './command-spec.js';
import { UsageError } from './exit.js';
import type { Invocation, Operand } from './invocation.js';
import { GENERAL_OPTIONS } from './options.js';
import type { GivenOptions, OptionSpec } from './options.js';

export type CommandLine =
  | { readonly kind: 'run'; readonly command: CommandSpec; readonly invocation: Invocation }
  /** Without a command: help on everything. */
  | { readonly kind: 'help'; readonly command: CommandSpec | undefined }
  | { readonly kind: 'version' }
  | { readonly kind: 'usage error'; readonly command: CommandSpec | undefined; readonly message: string };

/** Reads the words behind the program's name. */
export function readCommandLine(words: readonly string[]): CommandLine {
  let command: CommandSpec | undefined;
  try {
    const given = parseWords(words);
    const [name, ...operands] = given.operands;
    const wantsHelp = given.flags.has('help');
    if (name === undefined || name.text === 'help') {
      if (given.flags.has('version')) return { kind: 'version' };
      if (name === undefined && !wantsHelp) rejectOptions(given);
      return readHelp(operands);
    }
    command = findCommand(name.text);
    if (wantsHelp) return { kind: 'help', command };
    if (given.flags.has('version')) return { kind: 'version' };
    checkOptions(command, given);
    checkOperands(command, operands);
    return { kind: 'run', command, invocation: { ...given, operands } };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { kind: 'usage error', command: command ?? mentionedCommand(words), message: error.message };
  }
}

/** Every option of every command: options may stand before the command, when it is not known yet. */
const OPTIONS: ReadonlyMap<string, OptionSpec> = new Map(
  [...GENERAL_OPTIONS, ...COMMANDS.flatMap((command) => command.options)].map((option) => [
    option.name,
    option,
  ]),
);
const SHORT_NAMES: ReadonlyMap<string, string> = new Map([['h', 'help']]);

/**
 * Lets yargs-parser tell options from other words, and takes the words from what it leaves over: it would make numbers of
 * some of them, drop others, and take an option that is given twice or has no value as it comes.
 */
function parseWords(words: readonly string[]): Invocation {
  const tokens = readTokens(words);
  const named = [...OPTIONS.values()];
  const textNames = named.filter((option) => option.operand !== undefined).map((option) => option.name);
  const flagNames = named.filter((option) => option.operand === undefined).map((option) => option.name);
  // Of all of yargs only the parser: the rest took a quarter of the start of a server, 65 ms of CPU.
  const parsed = parseArguments([...words], {
    alias: Object.fromEntries(SHORT_NAMES),
    string: textNames,
    boolean: flagNames,
    configuration: {
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'populate--': true,
    },
  });
  const repeated = tokens.find(
    ({ option }, at) => tokens.findIndex((other) => other.option === option) !== at,
  );
  if (repeated !== undefined) throw new UsageError(`--${repeated.option.name} is given twice`);
  const values = new Map<string, string>();
  const flags = new Set<string>();
  for (const { option, inlineValue } of tokens) {
    if (option.operand === undefined) {
      if (inlineValue !== undefined) throw new UsageError(`--${option.name} takes no value`);
      // It takes a `false` that follows a flag for its value.
      if (parsed[option.name] !== false) flags.add(option.name);
      continue;
    }
    const separate: unknown = parsed[option.name];
    // It strips quotes behind an equals sign, which the shell has done where they were meant to go.
    const value = inlineValue ?? (typeof separate === 'string' ? separate : '');
    if (value === '')
      throw new UsageError(`--${option.name} needs a value: --${option.name} ${option.operand}`);
    values.set(option.name, value);
  }
  const plain = parsed._.map((word) => ({ text: String(word), verbatim: false }));
  const behindDashes: unknown = parsed['--'];
  const verbatim = Array.isArray(behindDashes)
    ? behindDashes.map((word) => ({ text: String(word), verbatim: true }))
    : [];
  return { values, flags, operands: [...plain, ...verbatim] };
}

interface Token {
  readonly option: OptionSpec;
  /** What stands behind `=`. */
  readonly inlineValue: string | undefined;
}

/** The options as they were typed. The parser never takes a word that looks like one for the value of another. */
function readTokens(words: readonly string[]): Token[] {
  const dashes = words.indexOf('--');
  const tokens: Token[] = [];
  for (const word of dashes === -1 ? words : words.slice(0, dashes)) {
    if (!word.startsWith('-') || word === '-' || isNegativeNumber(word)) continue;
    const equals = word.indexOf('=');
    const dashed = equals === -1 ? word : word.slice(0, equals);
    const name = dashed.startsWith('--') ? dashed.slice(2) : (SHORT_NAMES.get(dashed.slice(1)) ?? '');
    const option = OPTIONS.get(name);
    if (option === undefined) throw unknownOption(dashed, name);
    tokens.push({ option, inlineValue: equals === -1 ? undefined : word.slice(equals + 1) });
  }
  return tokens;
}

/** What the parser takes for a word and not for an option although it starts with a dash. */
function isNegativeNumber(word: string): boolean {
  return /^-([0-9]+(\.[0-9]+)?|\.[0-9]+)$/.test(word);
}

function unknownOption(dashed: string, name: string): UsageError {
  const close = closest(name, [...OPTIONS.keys()]);
  const hint =
    close === undefined ? 'a word that starts with a dash comes after --' : `did you mean --${close}?`;
  return new UsageError(`unknown option ${JSON.stringify(dashed)}: ${hint}`);
}

function readHelp(operands: readonly Operand[]): CommandLine {
  const [topic, extra] = operands;
  if (extra !== undefined)
    throw new UsageError(`help is about one command: ${JSON.stringify(extra.text)} is too much`);
  return {
    kind: 'help',
    command: topic === undefined || topic.text === 'help' ? undefined : findCommand(topic.text),
  };
}

function findCommand(name: string): CommandSpec {
  const command = COMMANDS.find((candidate) => candidate.name === name);
  if (command !== undefined) return command;
  const names = COMMANDS.map((candidate) => candidate.name);
  const close = closest(name.toLowerCase(), names);
  const hint = close === undefined ? '' : `did you mean ${JSON.stringify(close)}? `;
  throw new UsageError(`unknown command ${JSON.stringify(name)}: ${hint}there are ${names.join(', ')}`);
}

/** The command that was probably meant, for the usage line: the options, and so the words, make no sense. */
function mentionedCommand(words: readonly string[]): CommandSpec | undefined {
  return COMMANDS.find((candidate) => words.includes(candidate.name));
}

function rejectOptions(given: GivenOptions): void {
  const [name] = [...given.values.keys(), ...given.flags].filter((candidate) => candidate !== 'version');
  if (name !== undefined) throw new UsageError(`--${name} is given, and no command`);
}

function checkOptions(command: CommandSpec, given: GivenOptions): void {
  const known = new Set(command.options.map((option) => option.name));
  for (const name of [...given.values.keys(), ...given.flags]) {
    if (!known.has(name)) throw new UsageError(`"kv ${command.name}" has no option --${name}`);
  }
}

function checkOperands(command: CommandSpec, operands: readonly Operand[]): void {
  // Node has put this character in the place of bytes that are no UTF-8: what was meant is lost.
  if (operands.some(({ text }) => text.includes('\ufffd'))) {
    throw new UsageError('a word holds bytes that are not UTF-8: values like that come from --file or stdin');
  }
  const extra = operands[command.operandsMax];
  if (extra !== undefined) {
    const taken = command.operands === '' ? 'no words' : command.operands;
    const advice = command.operands === '' ? '' : '; put a word that holds blanks in quotes';
    throw new UsageError(
      `${JSON.stringify(extra.text)} is too much: "kv ${command.name}" takes ${taken}${advice}`,
    );
  }
  if (operands.length < command.operandsMin) {
    const missing = command.operands.split(' ')[operands.length] ?? command.operands;
    throw new UsageError(`${missing} is missing`);
  }
}
