import type { GivenOptions } from './options.js';

/** A word of the command line that is no option. */
export interface Operand {
  readonly text: string;
  /** It stood behind `--`, and so means nothing but itself. */
  readonly verbatim: boolean;
}

/** What a command was asked for, checked as far as one can without knowing what each command does. */
export interface Invocation extends GivenOptions {
  readonly operands: readonly Operand[];
}
