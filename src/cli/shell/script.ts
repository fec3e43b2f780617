import type { Readable } from 'node:stream';
import { isWrite } from '../../commands/command.js';
import { DEFAULT_REQUEST_LIMITS } from '../../protocol/limits.js';
import { EXIT } from '../exit.js';
import { addressOf } from '../options.js';
import { plainText, writeLines } from '../output.js';
import type { Output } from '../output.js';
import type { Painter } from '../status-view.js';
import { shellHelp } from './help.js';
import { replyLines } from './replies.js';
import type { ShowWord } from './replies.js';
import type { Outcome, ShellSession } from './session.js';
import { sourceLines } from './source-lines.js';
import type { SourceLine } from './source-lines.js';
import { readTypedLine } from './typed-line.js';
import type { TypedLine } from './typed-line.js';

export interface ScriptParts {
  readonly session: ShellSession;
  readonly source: Readable;
  /** Whether all of the source is there already, as in a file: then its last line needs no line feed. */
  readonly isWhole: boolean;
  readonly output: Output;
  readonly show: ShowWord;
  readonly paint: Painter;
  /** Takes a message, one line. */
  readonly complain: (message: string) => void;
}

/** Writes under way at once, and the bytes of their lines. */
export const WRITES_UNDER_WAY_MAX = 256;
const BYTES_UNDER_WAY_MAX = 4 * 1024 * 1024;
const HELP_COLUMNS = 100;
const LINE_BYTES_MAX = DEFAULT_REQUEST_LIMITS.requestBytesMax;

/**
 * Does the lines of a script. A line that is refused does not keep the next from being done, as in netcat; a server that
 * cannot be reached does.
 *
 * @returns the exit code: that of the first line that failed.
 */
export async function runScript(parts: ScriptParts): Promise<number> {
  const run = new ScriptRun(parts);
  const lines = sourceLines(parts.source, LINE_BYTES_MAX);
  try {
    while (!run.isEnded) {
      // What is under way may end the script while it waits for a line that never comes.
      const next = await Promise.race([lines.next(), run.ended]);
      if (next === 'ended' || next.done === true) break;
      await run.take(next.value);
    }
    return await run.finish();
  } finally {
    parts.source.destroy();
  }
}

type Command = Extract<TypedLine, { kind: 'command' }>;

/**
 * Lines take effect in their order, and replies are printed in it. Writes that follow each other are sent without waiting
 * for the replies, which arrive in order; anything else waits for them. So what is under way is bounded, replies
 * included.
 */
class ScriptRun {
  readonly #parts: ScriptParts;
  readonly ended: Promise<'ended'>;
  isEnded = false;
  #end: () => void = () => undefined;
  #exitCode: number = EXIT.done;
  /** Resolves when everything that was begun is printed. */
  #printed: Promise<void> = Promise.resolve();
  #writes = 0;
  #bytes = 0;
  /** The first and the last line that no server answered, and how many between them may have taken effect. */
  #lost: { readonly first: number; readonly last: number; readonly unconfirmed: number } | undefined;

  constructor(parts: ScriptParts) {
    this.#parts = parts;
    this.ended = new Promise((resolve) => {
      this.#end = () => {
        this.isEnded = true;
        resolve('ended');
      };
    });
    // It is known from the start that somebody looks at it only now and then.
    this.#printed.catch(() => undefined);
  }

  async take({ number, bytes, terminated }: SourceLine): Promise<void> {
    const line = bytes ?? Buffer.alloc(0);
    const typed = readTypedLine(line, terminated || this.#parts.isWhole);
    if (typed.kind === 'command' && isWrite(typed.command)) {
      await this.#write(number, typed, line.length);
      return;
    }
    await this.#printed;
    if (this.isEnded) return;
    if (bytes === undefined) this.#tooLong(number);
    else if (typed.kind === 'fault') this.#faulty(number, line, typed);
    else if (typed.kind === 'own') await this.#doOwn(number, typed);
    else if (typed.kind === 'command') await this.#print(number, typed, await this.#send(typed));
  }

  /** @returns the exit code, once everything that was begun is printed. */
  async finish(): Promise<number> {
    await this.#printed;
    if (this.#lost !== undefined) this.#parts.complain(afterLoss(this.#lost));
    return this.#exitCode;
  }

  async #write(number: number, typed: Command, bytes: number): Promise<void> {
    const isFull = this.#writes >= WRITES_UNDER_WAY_MAX || this.#bytes + bytes > BYTES_UNDER_WAY_MAX;
    if (isFull) await this.#printed;
    if (this.isEnded) return;
    this.#writes++;
    this.#bytes += bytes;
    const sent = this.#send(typed);
    this.#printed = this.#printed.then(async () => {
      await this.#print(number, typed, await sent);
      this.#writes--;
      this.#bytes -= bytes;
    });
    this.#printed.catch(() => this.#end());
  }

  #send({ command, words }: Command): Promise<Outcome> {
    return this.#parts.session.run(command, words);
  }

  async #print(number: number, { command }: Command, outcome: Outcome): Promise<void> {
    const { output, show, paint } = this.#parts;
    if ('reply' in outcome) {
      await writeLines(output, replyLines(outcome.reply, command.name, show, paint));
      return;
    }
    const { exitCode, message, isLost } = outcome.failure;
    // Hundreds may be under way when a connection is lost: one says why, and the rest are counted.
    if (this.#lost === undefined) this.#fail(exitCode, `line ${String(number)}: ${message}`);
    if (!isLost) return;
    const { first, unconfirmed } = this.#lost ?? { first: number, unconfirmed: 0 };
    const more = exitCode === EXIT.unconfirmed ? 1 : 0;
    this.#lost = { first, last: number, unconfirmed: unconfirmed + more };
    this.#end();
  }

  #tooLong(number: number): void {
    const message = `longer than ${String(LINE_BYTES_MAX)} bytes (TOO_LARGE)`;
    this.#fail(EXIT.refused, `line ${String(number)}: ${message}`);
  }

  #faulty(number: number, line: Buffer, { fault, word }: Extract<TypedLine, { kind: 'fault' }>): void {
    const column = line.toString('utf8', 0, fault.start).length + 1;
    const place = `line ${String(number)}, column ${String(column)}`;
    const exitCode = fault.code === 'TOO_LARGE' ? EXIT.refused : EXIT.usage;
    this.#fail(exitCode, `${place}: ${plainText(fault.message)} (${fault.code})`);
    // What follows was meant for another server.
    if (word?.name === 'CONNECT') this.#end();
  }

  async #doOwn(number: number, { word, operands }: Extract<TypedLine, { kind: 'own' }>): Promise<void> {
    const { session, output } = this.#parts;
    if (word.needsTerminal) {
      this.#fail(EXIT.usage, `line ${String(number)}, column 1: ${word.name} is for a terminal`);
    } else if (word.name === 'HELP') {
      await writeLines(output, shellHelp(operands[0], HELP_COLUMNS));
    } else if (word.name === 'CONNECT') {
      session.move(addressOf('CONNECT', operands[0] ?? ''));
    } else {
      this.#end();
    }
  }

  #fail(exitCode: number, message: string): void {
    if (this.#exitCode === EXIT.done) this.#exitCode = exitCode;
    this.#parts.complain(message);
  }
}

function afterLoss(lost: { first: number; last: number; unconfirmed: number }): string {
  const { first, last, unconfirmed } = lost;
  const end = `nothing behind line ${String(last)} was sent`;
  if (first === last) return end;

  const doubt =
    unconfirmed === 0 ? 'none took effect' : `${String(unconfirmed)} of them may have taken effect`;
  return `lines ${String(first)} to ${String(last)} were under way: ${doubt}; ${end}`;
}
