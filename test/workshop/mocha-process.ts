import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { repositoryRoot } from '../repository-root.js';

const MOCHA = path.join(repositoryRoot, 'node_modules', 'mocha', 'bin', 'mocha.js');
const REPORTER = path.join(repositoryRoot, '.ci', 'counting-reporter.js');
const LOOK_EVERY_MS = 500;
const OUTPUT_MS_MAX = 5000;

export interface Failure {
  readonly files: readonly string[];
  readonly title: string;
  readonly message: string;
}

export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly failures: readonly Failure[];
  /** How long each file took. */
  readonly filesMs: Readonly<Record<string, number>>;
}

export interface MochaOptions {
  /** Where mocha runs, and finds its options. */
  readonly directory?: string;
  /** How long the files may take in all. */
  readonly runMsMax?: number;
  /** How long the process may stay once all tests are through. */
  readonly lingerMsMax?: number;
}

export interface MochaProcess {
  readonly outcome: Promise<Outcome & { readonly output: string }>;
  /** Has it end behind the test that runs, and clean up. */
  end(): void;
}

/**
 * Runs test files in a process of their own. A process that does not come to the end of its tests, does not end behind them, or
 * ends otherwise than its counts say, counts as one more failure, so that none of that is taken for success.
 */
export function startMocha(files: readonly string[], options: MochaOptions = {}): MochaProcess {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'understudy-mocha-'));
  const report = path.join(folder, 'report.json');
  const words = ['--reporter', REPORTER, '--reporter-option', `output=${report}`];
  const child = spawn(process.execPath, [MOCHA, ...words, ...files], {
    cwd: options.directory ?? repositoryRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C in a terminal is passed on to it once: the second time mocha would not clean up.
    detached: true,
  });
  const output: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
  const watch = watched(child, report, options);
  const work = async (): Promise<Outcome & { output: string }> => {
    const ended = await endOf(child);
    watch.stop();
    const outcome = outcomeOf(report, files, ended, watch.reason);
    rmSync(folder, { recursive: true, force: true });
    return { ...outcome, output: Buffer.concat(output).toString() };
  };
  return { outcome: work(), end: () => void child.kill('SIGINT') };
}

/** Resolves with what a process ended with once all its output is here, unless what the tests left behind holds on to the pipes. */
async function endOf(child: ChildProcess): Promise<string> {
  const closed = once(child, 'close');
  const [status, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
  const late = new AbortController();
  const timer = pause(OUTPUT_MS_MAX, undefined, { signal: late.signal }).catch(() => undefined);
  await Promise.race([closed, timer]);
  late.abort();
  return String(signal ?? status);
}

interface Watch {
  /** Why the process had to be ended. */
  reason?: string;
  stop(): void;
}

function watched(child: ChildProcess, report: string, options: MochaOptions): Watch {
  const { runMsMax = 30 * 60_000, lingerMsMax = 60_000 } = options;
  const startMs = performance.now();
  let throughMs: number | undefined;
  const watch: Watch = { stop: () => clearInterval(timer) };
  const timer = setInterval(() => {
    const nowMs = performance.now();
    if (throughMs === undefined && existsSync(report)) throughMs = nowMs;
    if (throughMs === undefined ? nowMs - startMs < runMsMax : nowMs - throughMs < lingerMsMax) return;
    watch.reason =
      throughMs === undefined
        ? `was not through after ${String(runMsMax / 1000)} s`
        : `did not end within ${String(lingerMsMax / 1000)} s of its last test: something still holds it`;
    child.kill('SIGKILL');
  }, LOOK_EVERY_MS);
  return watch;
}

function outcomeOf(
  report: string,
  files: readonly string[],
  ended: string,
  reason: string | undefined,
): Outcome {
  const found = existsSync(report) ? (JSON.parse(readFileSync(report, 'utf8')) as Outcome) : undefined;
  const { passed, failed, failures, filesMs } = found ?? { passed: 0, failed: 0, failures: [], filesMs: {} };
  const isAsCounted = found !== undefined && (ended === '0') === (failed === 0);
  if (isAsCounted && reason === undefined) return found;
  const message = reason ?? `ended with ${ended}`;
  const broken = { files, title: 'the process that ran this', message };
  return { passed, failed: failed + 1, failures: [...failures, broken], filesMs };
}
