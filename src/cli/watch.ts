import type { Clock } from '../clock.js';
import type { Output } from './output.js';
import { pause } from './pause.js';

const PERIOD_MS = 1000;

const HOME = '\u001b[H';
const ERASE_SCREEN = '\u001b[2J';
const ERASE_REST_OF_LINE = '\u001b[K';
const ERASE_BELOW = '\u001b[J';

export interface WatchParts {
  /** The lines to show. Asked for once a second; it never rejects for what may pass, but puts that into words. */
  readonly ask: () => Promise<readonly string[]>;
  readonly output: Output;
  readonly clock: Clock;
  /** Whether an empty line stands between two blocks where they are appended. */
  readonly isSpaced: boolean;
  /** Ends the watch. */
  readonly stop: AbortSignal;
}

/** Shows something again and again until it is stopped: in its place on a terminal, block behind block anywhere else. */
export async function watch({ ask, output, clock, isSpaced, stop }: WatchParts): Promise<void> {
  for (let isFirst = true; !stop.aborted; isFirst = false) {
    const startMs = clock.nowMs();
    const lines = await ask();
    // What came of a question that was given up is no news.
    if (isAborted(stop)) return;
    const space = isSpaced && !isFirst ? '\n' : '';
    await output.write(output.isTerminal ? screen(lines, isFirst) : `${space}${lines.join('\n')}\n`);
    await pause(clock, Math.max(0, startMs + PERIOD_MS - clock.nowMs()), stop);
  }
}

/** A function, because the compiler believes that what was false before an await is false behind it. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** What replaces the screen. What stood there is written over and not erased first, so that it does not flicker. */
function screen(lines: readonly string[], isFirst: boolean): string {
  const body = [...lines, '', 'Ctrl-C ends this.'].map((line) => `${line}${ERASE_REST_OF_LINE}\n`).join('');
  return `${isFirst ? ERASE_SCREEN : ''}${HOME}${body}${ERASE_BELOW}`;
}
