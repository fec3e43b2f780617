import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { KV } from './run-kv.js';

const run = promisify(execFile);

const COLUMNS = 90;
const ROWS = 40;

const PATIENCE_MS = 15_000;
const LOOK_EVERY_MS = 30;

/** A real terminal: a pane of tmux, with somebody who types into it and looks at it. */
export class Terminal {
  readonly #environment: NodeJS.ProcessEnv;
  /** Where the socket of tmux is: not in a folder of the test, which is gone before the terminal is. */
  readonly #sockets = mkdtempSync(path.join(os.tmpdir(), 'understudy-terminal-'));

  private constructor(environment: NodeJS.ProcessEnv) {
    this.#environment = { ...environment, TMUX_TMPDIR: this.#sockets };
  }

  /**
   * Runs a program in a terminal of its own, with `kv` in its path.
   *
   * @param folder - for whatever is to be gone afterwards.
   */
  static async open(
    folder: string,
    command: string,
    environment: Record<string, string> = {},
  ): Promise<Terminal> {
    const bin = path.join(folder, 'bin');
    mkdirSync(bin, { recursive: true });
    symlinkSync(KV, path.join(bin, 'kv'));
    const terminal = new Terminal({
      ...process.env,
      PATH: `${bin}:${process.env.PATH ?? ''}`,
      HOME: folder,
      XDG_STATE_HOME: path.join(folder, 'state'),
      LANG: 'C.UTF-8',
      LC_ALL: 'C.UTF-8',
      NO_COLOR: '1',
      ...environment,
    });
    const size = ['-x', String(COLUMNS), '-y', String(ROWS)];
    await terminal.#tmux('-f', '/dev/null', 'new-session', '-d', ...size, command);
    return terminal;
  }

  /** Types a text as it is. */
  async type(text: string): Promise<void> {
    await this.#tmux('send-keys', '-l', '--', text);
  }

  /** Presses keys by their names, such as `Tab`, `Enter`, `C-c`. */
  async press(...keys: string[]): Promise<void> {
    for (const key of keys) await this.#tmux('send-keys', key);
  }

  /** What stands on the screen, without the empty lines at its end. */
  async screen(): Promise<string> {
    return (await this.#tmux('capture-pane', '-p')).trimEnd();
  }

  /** Waits until the screen ends with this, and answers all of it. */
  async until(end: string): Promise<string> {
    const deadlineMs = performance.now() + PATIENCE_MS;
    for (;;) {
      const screen = await this.screen();
      if (screen.endsWith(end.trimEnd())) return screen;
      if (performance.now() > deadlineMs) throw new Error(`the screen never ended with ${end}:\n${screen}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  async close(): Promise<void> {
    try {
      await this.#tmux('kill-server');
    } catch (error) {
      // It ends by itself when the program in it has ended.
      if (!/no server running|error connecting/.test(String(error))) throw error;
    } finally {
      rmSync(this.#sockets, { recursive: true, force: true });
    }
  }

  async #tmux(...words: string[]): Promise<string> {
    const { stdout } = await run('tmux', words, { env: this.#environment });
    return stdout;
  }
}
