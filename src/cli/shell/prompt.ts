import { clearScreenDown, createInterface, cursorTo } from 'node:readline';
import type { Interface } from 'node:readline';
import { addressOf } from '../options.js';
import { plainText, writeLines } from '../output.js';
import type { Output } from '../output.js';
import { EXIT } from '../exit.js';
import type { Clock } from '../../clock.js';
import type { Painter } from '../status-view.js';
import { complete } from './completion.js';
import { faultLines } from './fault-lines.js';
import { shellHelp } from './help.js';
import { HISTORY_LINES_MAX } from './history-file.js';
import { replyLines } from './replies.js';
import type { ShowWord } from './replies.js';
import type { Failure, ShellSession, Standing } from './session.js';
import { readTypedLine } from './typed-line.js';
import type { LineFault, TypedLine } from './typed-line.js';

/** What was typed before, and where it is kept. */
export interface HistoryKeeper {
  /** The oldest first. */
  readonly lines: readonly string[];
  /** Where it is kept, in words. */
  readonly place: string;
  keep(line: string): Promise<void>;
}

export interface PromptParts {
  readonly session: ShellSession;
  readonly input: NodeJS.ReadableStream;
  /** Where what is typed is shown. */
  readonly screen: NodeJS.WritableStream & { readonly columns?: number };
  /** Where replies go; the same as the screen, unless that was redirected. */
  readonly output: Output;
  readonly show: ShowWord;
  readonly paint: Painter;
  readonly history: HistoryKeeper;
  readonly clock: Clock;
}

/** A command that took longer says how long. */
const SLOW_MS = 1000;
const COLUMNS = 80;

/** Reads lines from a person and does them, until told to leave. */
export async function runPrompt(parts: PromptParts): Promise<number> {
  const prompt = new Prompt(parts);
  return prompt.run();
}

/** Lines that were typed ahead or pasted; past this no more is read until they are done. */
const WAITING_LINES_MAX = 1000;

class Prompt {
  readonly #parts: PromptParts;
  readonly #reader: Interface;
  /** Lines that wait for the one that is being done. */
  #waiting: string[] = [];
  #isClosed = false;
  #wake: () => void = () => undefined;
  /** The command that is being done. */
  #running: AbortController | undefined;
  #history: string[];

  constructor(parts: PromptParts) {
    this.#parts = parts;
    this.#history = [...parts.history.lines];
    this.#reader = createInterface({
      input: parts.input,
      output: parts.screen,
      terminal: true,
      history: [...this.#history].reverse(),
      historySize: HISTORY_LINES_MAX,
      completer: (line: string, done: (error: null, found: [string[], string]) => void): void => {
        this.#complete(line).then(
          (found) => done(null, found),
          () => done(null, [[], '']),
        );
      },
    });
    this.#reader.on('line', (line) => this.#typed(line));
    this.#reader.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
    this.#reader.on('SIGINT', () => this.#interrupted());
    this.#reader.on('history', (lines: string[]) => {
      // What begins with a blank is not remembered, as in other shells.
      if (/^\s/.test(lines[0] ?? '')) lines.shift();
    });
  }

  async run(): Promise<number> {
    await this.#greet();
    this.#say('HELP lists the commands, Tab completes, Ctrl-D leaves.');
    for (let line = await this.#next(); line !== undefined; line = await this.#next()) {
      this.#reader.setPrompt('');
      if (await this.#do(line)) break;
    }
    this.#reader.close();
    this.#say('');
    return EXIT.done;
  }

  #typed(line: string): void {
    this.#waiting.push(line);
    if (this.#waiting.length >= WAITING_LINES_MAX) this.#reader.pause();
    this.#wake();
  }

  /** The next line, undefined when there are no more. One that was typed ahead is shown behind its prompt. */
  async #next(): Promise<string | undefined> {
    const ahead = this.#waiting.shift();
    if (ahead !== undefined) {
      this.#say(`${this.#promptText()}${plainText(ahead)}`);
      return ahead;
    }
    if (this.#isClosed) return undefined;
    this.#reader.setPrompt(this.#promptText());
    this.#reader.prompt(true);
    await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#waiting.shift();
  }

  #promptText(): string {
    const { session, paint } = this.#parts;
    return promptText(session.address, session.standing, paint);
  }

  async #complete(line: string): Promise<[string[], string]> {
    return complete(line, this.#parts.session, this.#parts.clock);
  }

  async #greet(): Promise<void> {
    const { session, paint } = this.#parts;
    this.#say(greeting(session.address, await session.greet(), paint));
  }

  /** Ctrl-C gives up what is being done, or what is being typed. */
  #interrupted(): void {
    this.#waiting = [];
    if (this.#running !== undefined) {
      this.#running.abort();
      return;
    }
    const wasEmpty = this.#reader.line === '';
    this.#reader.write(null, { ctrl: true, name: 'e' });
    this.#reader.write(null, { ctrl: true, name: 'u' });
    this.#say('^C');
    if (wasEmpty) this.#say('Ctrl-D or EXIT leaves.');
    this.#reader.prompt();
  }

  /** One line on the screen, in the place of a prompt with something typed behind it. */
  #say(text: string): void {
    this.#wipe();
    this.#parts.screen.write(`${text}\n`);
  }

  #wipe(): void {
    if (this.#reader.line === '') return;
    cursorTo(this.#parts.screen, 0);
    clearScreenDown(this.#parts.screen);
  }

  /** Answers whether the shell is to be left. */
  async #do(line: string): Promise<boolean> {
    const bytes = Buffer.from(line, 'utf8');
    const typed = undecodable(line) ?? readTypedLine(bytes);
    if (typed.kind === 'nothing') return false;
    await this.#remember(line);
    switch (typed.kind) {
      case 'fault':
        this.#tellFault(line, typed.fault);
        return false;
      case 'own':
        return this.#doOwn(typed);
      case 'command':
        await this.#doCommand(typed);
        return false;
    }
  }

  async #remember(line: string): Promise<void> {
    if (/^\s/.test(line) || this.#history.at(-1) === line) return;
    this.#history.push(line);
    if (this.#history.length > HISTORY_LINES_MAX) this.#history.shift();
    await this.#parts.history.keep(line);
  }

  #tellFault(line: string, fault: LineFault): void {
    const { paint, screen } = this.#parts;
    const [shown = '', mark = ''] = faultLines(line, fault, screen.columns ?? COLUMNS);
    this.#say(`${shown}\n${paint.bad(mark)}`);
    this.#say(paint.bad(`error: ${plainText(fault.message)}`));
  }

  async #doOwn({ word, operands }: Extract<TypedLine, { kind: 'own' }>): Promise<boolean> {
    const { session, screen, output, history } = this.#parts;
    switch (word.name) {
      case 'HELP':
        await writeLines(output, shellHelp(operands[0], screen.columns ?? COLUMNS));
        return false;
      case 'CONNECT':
        session.move(addressOf('CONNECT', operands[0] ?? ''));
        await this.#greet();
        return false;
      case 'HISTORY':
        await writeLines(output, this.#history.map(plainText));
        this.#say(history.place);
        return false;
      case 'CLEAR':
        cursorTo(screen, 0, 0);
        clearScreenDown(screen);
        return false;
      case 'EXIT':
      case 'QUIT':
        return true;
    }
  }

  async #doCommand({ command, words }: Extract<TypedLine, { kind: 'command' }>): Promise<void> {
    const { session, output, show, paint, clock } = this.#parts;
    const running = new AbortController();
    this.#running = running;
    const startMs = clock.nowMs();
    const outcome = await session.run(command, words, running.signal);
    const tookMs = clock.nowMs() - startMs;
    // Asked while the reply is shown, and only for a prompt at which somebody will type.
    const looked = this.#waiting.length === 0 ? session.look() : undefined;
    this.#running = undefined;
    this.#wipe();
    if ('reply' in outcome) await writeLines(output, replyLines(outcome.reply, command.name, show, paint));
    else this.#tellFailure(outcome.failure, running.signal.aborted);
    if (tookMs >= SLOW_MS) this.#say(paint.name(`took ${(tookMs / 1000).toFixed(1)} s`));
    await looked;
  }

  #tellFailure({ exitCode, message }: Failure, isGivenUp: boolean): void {
    const { paint } = this.#parts;
    const isReadGivenUp = isGivenUp && exitCode !== EXIT.unconfirmed;
    this.#say(isReadGivenUp ? 'given up' : paint.bad(`error: ${message}`));
  }
}

/** Node puts this character in the place of bytes that are no UTF-8: what was typed is lost. */
function undecodable(line: string): TypedLine | undefined {
  const at = line.indexOf('\ufffd');
  if (at === -1) return undefined;
  const start = Buffer.byteLength(line.slice(0, at));
  const message = 'these bytes are not UTF-8: write them as \\xHH in a word in double quotes';
  return { kind: 'fault', fault: { code: 'SYNTAX', message, start, end: start + 3 } };
}

function greeting(address: string, standing: Standing, paint: Painter): string {
  if (standing === 'unknown') return `${address} was not asked yet.`;
  if ('unreachable' in standing) {
    return `${paint.bad(standing.unreachable)}\nEach command tries again.`;
  }
  return `Connected to ${address}, ${standing.role} in term ${standing.term}.`;
}

/** Whom a line goes to: the primary needs no word. */
function promptText(address: string, standing: Standing, paint: Painter): string {
  if (standing === 'unknown') return `${address}> `;
  if ('unreachable' in standing) return `${address} ${paint.bad('no answer')}> `;
  return standing.role === 'primary' ? `${address}> ` : `${address} ${standing.role}> `;
}
