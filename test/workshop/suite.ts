import { existsSync, readdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { batchesOf, eachOf } from './batches.js';
import { startMocha } from './mocha-process.js';
import type { Failure, MochaProcess } from './mocha-process.js';

/** The files with one ending. */
export interface Pass {
  readonly ending: string;
  /** How many processes run at once. */
  readonly processes: number;
}

/** Many tests wait most of their time, for other processes; the others keep the machine busy meanwhile. */
const TOGETHER = os.availableParallelism() + 1;

export const PASSES: Readonly<Record<string, Pass>> = {
  together: { ending: '.test', processes: TOGETHER },
  /** What measures time or memory, or needs the whole machine: one after another, and nothing beside them. */
  alone: { ending: '.alone', processes: 1 },
  /** What needs programs that not every machine has. */
  tools: { ending: '.tools', processes: os.availableParallelism() },
};

const SLOWEST_SHOWN = 10;

/** What came of several runs. */
export interface Sum {
  passed: number;
  failed: number;
  readonly failures: Failure[];
  readonly filesMs: Map<string, number>;
}

/** The tests of a package whose `test/` was compiled to `build/test/`. */
export class Suite {
  readonly sum: Sum = { passed: 0, failed: 0, failures: [], filesMs: new Map() };
  readonly #directory: string;
  readonly #write: (output: string) => void;
  readonly #running = new Set<MochaProcess>();
  #isEnding = false;

  /** @param write - takes what a process printed, once it has ended. */
  constructor(directory: string, write: (output: string) => void) {
    this.#directory = directory;
    this.#write = write;
  }

  async run(pass: Pass): Promise<void> {
    await eachOf(batchesOf(this.#filesOf(pass)), pass.processes, async (batch) => {
      if (this.#isEnding) return;
      const files = batch.map((file) => path.join('build', 'test', `${file}.js`));
      const started = startMocha(files, { directory: this.#directory });
      this.#running.add(started);
      const { passed, failed, failures, filesMs, output } = await started.outcome;
      this.#running.delete(started);
      this.#write(output);
      this.sum.passed += passed;
      this.sum.failed += failed;
      this.sum.failures.push(...failures);
      for (const [file, ms] of Object.entries(filesMs)) this.sum.filesMs.set(file, ms);
    });
  }

  /** Begins nothing any more: what runs is over when the tests under way are. */
  end(): void {
    this.#isEnding = true;
    for (const each of this.#running) each.end();
  }

  /** By the sources: what is compiled may be of a file that is gone. */
  #filesOf({ ending }: Pass): string[] {
    const names = readdirSync(path.join(this.#directory, 'test'), { recursive: true, encoding: 'utf8' });
    const files = names.filter((name) => name.endsWith(`${ending}.ts`)).map((name) => name.slice(0, -3));
    if (files.length === 0) throw new Error(`no file of the tests ends with ${ending}.ts`);
    const missing = files.find(
      (file) => !existsSync(path.join(this.#directory, 'build', 'test', `${file}.js`)),
    );
    if (missing !== undefined) throw new Error(`test/${missing}.ts is not compiled: run npm run build`);
    return files;
  }

  /** For people: the counts, what took long, and what failed, with the words that run it again. */
  summary(seconds: number): string {
    const { passed, failed, failures, filesMs } = this.sum;
    const slowest = [...filesMs].sort(([, one], [, other]) => other - one).slice(0, SLOWEST_SHOWN);
    const lines = [
      `${String(passed)} passed, ${String(failed)} failed, in ${String(Math.round(seconds))} s`,
      'The files that took longest:',
      ...slowest.map(([file, ms]) => `${(ms / 1000).toFixed(1).padStart(7)} s  ${this.#nameOf(file)}`),
    ];
    if (failures.length > 0) lines.push('What failed:', ...failures.map((failure) => this.#show(failure)));
    return `${lines.join('\n')}\n`;
  }

  #show({ files, title, message }: Failure): string {
    const seed = /KV_SEED=\d+/.exec(message)?.[0];
    const names = files.map((file) => this.#nameOf(file));
    const again = [...(seed === undefined ? [] : [seed]), 'npx mocha', ...names].join(' ');
    return `  ${title}\n    ${message.replaceAll('\n', '\n    ')}\n    again: ${again}`;
  }

  #nameOf(file: string): string {
    return path.isAbsolute(file) ? path.relative(this.#directory, file) : file;
  }
}
