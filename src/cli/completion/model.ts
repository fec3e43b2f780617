import type { CommandSpec } from '../command-spec.js';
import { GENERAL_OPTIONS } from '../options.js';
import type { OptionSpec } from '../options.js';

/** What can stand in one place of a command line. */
export type Place =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'files' }
  | { readonly kind: 'keys' }
  /** Nobody can tell beforehand. */
  | { readonly kind: 'anything' };

export interface CompletedOption {
  /** `--name` */
  readonly dashed: string;
  readonly description: string;
  /** What its value can be; undefined for a flag. */
  readonly value: Place | undefined;
}

export interface CompletedCommand {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  /** What its words can be, in their order. */
  readonly operands: readonly Place[];
}

/** What the completion of a shell has to know, derived from the table of commands. */
export interface CompletionModel {
  readonly commands: readonly CompletedCommand[];
  /** Every option there is, once: options may stand before the command. */
  readonly options: readonly CompletedOption[];
}

export function completionModel(commands: readonly CommandSpec[]): CompletionModel {
  const options = new Map<string, CompletedOption>();
  for (const option of [...commands.flatMap((command) => command.options), ...GENERAL_OPTIONS]) {
    if (!options.has(option.name)) options.set(option.name, completedOption(option));
  }
  const completed = commands.map((command) => completedCommand(command));
  const names = completed.map(({ name }) => name);
  const help: CompletedCommand = {
    name: 'help',
    summary: 'explain a command',
    options: [],
    operands: [{ kind: 'words', words: names }],
  };
  return { commands: [...completed, help], options: [...options.values()] };
}

function completedCommand({ name, summary, options, operands }: CommandSpec): CompletedCommand {
  return {
    name,
    summary,
    options: [...options, ...GENERAL_OPTIONS.slice(0, 1)].map(completedOption),
    operands: operands.split(' ').map((operand) => placeOf(operand.replaceAll(/[[\]]/g, ''))),
  };
}

function completedOption({ name, operand, description }: OptionSpec): CompletedOption {
  return { dashed: `--${name}`, description, value: operand === undefined ? undefined : placeOf(operand) };
}

/** What the help's word for a value stands for: `always|everysec|off`, `FILE`, `KEY`. */
function placeOf(operand: string): Place {
  if (operand.includes('|')) return { kind: 'words', words: operand.split('|') };
  if (operand === 'FILE') return { kind: 'files' };
  return operand === 'KEY' ? { kind: 'keys' } : { kind: 'anything' };
}

/** A text as one word of a POSIX shell that means nothing but itself. */
export function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
