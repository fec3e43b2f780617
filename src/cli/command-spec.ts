import type { Invocation } from './invocation.js';
import type { OptionSpec } from './options.js';

/** Under which headings the help lists the commands, in its order. */
export const GROUPS = ['Data', 'Servers', 'Tools'] as const;

/** What the module of a command exports. Answers the exit code. `commands`: all there are, for one that is about them. */
export interface CommandModule {
  readonly run: (invocation: Invocation, commands: readonly CommandSpec[]) => Promise<number>;
}

export interface Example {
  readonly line: string;
  readonly meaning: string;
}

/** One command as the command line and its help know it; what it does is loaded when it is asked for. */
export interface CommandSpec {
  readonly name: string;
  readonly group: (typeof GROUPS)[number];
  /** The words behind the command's name as the usage line shows them. */
  readonly operands: string;
  readonly operandsMin: number;
  readonly operandsMax: number;
  readonly summary: string;
  readonly options: readonly OptionSpec[];
  readonly notes: readonly string[];
  readonly examples: readonly Example[];
  readonly load: () => Promise<CommandModule>;
}
