/** What the process answers to the shell. Scripts rely on these numbers. */
export const EXIT = {
  done: 0,
  noSuchKey: 1,
  usage: 2,
  unreachable: 3,
  notAuthorised: 4,
  refused: 5,
  unconfirmed: 6,
  /** A defect of the program, or an output that cannot be written: none of the above. */
  failed: 70,
} as const;

/** The command line makes no sense. The message says what is wrong with it, on one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The command was understood and could not be done. The message says what happened and what to do, on one line. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}
