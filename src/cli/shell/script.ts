import { DEFAULT_REQUEST_LIMITS } from '../../protocol/limits.js';
import { EXIT } from '../exit.js';
import { addressOf } from '../options.js';
import { plainText, writeLines } from '../output.js';
import type { Output } from '../output.js';
import type { Painter } from '../status-view.js';
import { shellHelp } from './help.js';
import { replyLines } from './replies.js';
import type { ShowWord } from './replies.js';
import type { ShellSession } from './session.js';
import { sourceLines } from './source-lines.js';
import { readTypedLine } from './typed-line.js';
import type { TypedLine } from './typed-line.js';

export interface ScriptParts {
  readonly session: ShellSession;
  readonly source: AsyncIterable<Buffer>;
  /** Whether all of the source is there already, as in a file: then its last line needs no line feed. */
  readonly isWhole: boolean;
  readonly output: Output;
  readonly show: ShowWord;
  readonly paint: Painter;
  /** Takes a message, one line. */
  readonly complain: (message: string) => void;
}

/** What came of one line. */
interface Done {
  readonly exitCode: number;
  /** Nothing behind it is to be done. */
  readonly ends: boolean;
}

const FINE: Done = { exitCode: EXIT.done, ends: false };

/**
 * Does the lines of a script, one after the other. A line that is refused does not keep the next from being done, as in
 * netcat; a server that cannot be reached does.
 *
 * @returns the exit code: that of the first line that failed.
 */
export async function runScript(parts: ScriptParts): Promise<number> {
  let exitCode: number = EXIT.done;
  for await (const { number, bytes, terminated } of sourceLines(parts.source, LINE_BYTES_MAX)) {
    const done =
      bytes === undefined ? tooLong(parts, number) : await doLine(parts, number, bytes, terminated);
    if (exitCode === EXIT.done) exitCode = done.exitCode;
    if (done.ends) break;
  }
  return exitCode;
}

const LINE_BYTES_MAX = DEFAULT_REQUEST_LIMITS.requestBytesMax;

function tooLong({ complain }: ScriptParts, number: number): Done {
  complain(`line ${String(number)}: longer than ${String(LINE_BYTES_MAX)} bytes (TOO_LARGE)`);
  return { exitCode: EXIT.refused, ends: false };
}

async function doLine(parts: ScriptParts, number: number, line: Buffer, terminated: boolean): Promise<Done> {
  const typed = readTypedLine(line, terminated || parts.isWhole);
  switch (typed.kind) {
    case 'nothing':
      return FINE;
    case 'fault':
      return faulty(parts, number, line, typed);
    case 'own':
      return doOwn(parts, number, typed);
    case 'command':
      return doCommand(parts, number, typed);
  }
}

function faulty(
  { complain }: ScriptParts,
  number: number,
  line: Buffer,
  { fault, word }: Extract<TypedLine, { kind: 'fault' }>,
): Done {
  const column = line.toString('utf8', 0, fault.start).length + 1;
  const place = `line ${String(number)}, column ${String(column)}`;
  complain(`${place}: ${plainText(fault.message)} (${fault.code})`);
  // What follows was meant for another server.
  const ends = word?.name === 'CONNECT';
  return { exitCode: fault.code === 'TOO_LARGE' ? EXIT.refused : EXIT.usage, ends };
}

async function doOwn(
  { session, output, complain }: ScriptParts,
  number: number,
  { word, operands }: Extract<TypedLine, { kind: 'own' }>,
): Promise<Done> {
  if (word.needsTerminal) {
    complain(`line ${String(number)}, column 1: ${word.name} is for a terminal`);
    return { exitCode: EXIT.usage, ends: false };
  }
  switch (word.name) {
    case 'HELP':
      await writeLines(output, shellHelp(operands[0]));
      return FINE;
    case 'CONNECT':
      session.move(addressOf('CONNECT', operands[0] ?? ''));
      return FINE;
    default:
      return { exitCode: EXIT.done, ends: true };
  }
}

async function doCommand(
  { session, output, show, paint, complain }: ScriptParts,
  number: number,
  { command, words }: Extract<TypedLine, { kind: 'command' }>,
): Promise<Done> {
  const outcome = await session.run(command, words);
  if ('reply' in outcome) {
    await writeLines(output, replyLines(outcome.reply, command.name, show, paint));
    return FINE;
  }
  const { exitCode, message, isLost } = outcome.failure;
  complain(`line ${String(number)}: ${message}${isLost ? '; nothing behind this line was done' : ''}`);
  return { exitCode, ends: isLost };
}
