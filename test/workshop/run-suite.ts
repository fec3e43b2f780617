import { writeFileSync } from 'node:fs';
import os from 'node:os';
import { parseArgs } from 'node:util';
import { repositoryRoot } from '../repository-root.js';
import { PASSES, Suite } from './suite.js';
import type { Pass } from './suite.js';

/**
 * Runs the tests: `node run-suite.js [--counts FILE] [--processes N] [--directory PACKAGE] PASS...`, and ends with 0 when all of them passed.
 *
 * A signal has it end behind the tests that are under way, which clean up; a second one at once. `--counts` names a file for the line `PASSED FAILED`, which is not written when the run breaks off. `--processes 1` runs one
 * file after another.
 */
async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { counts: { type: 'string' }, processes: { type: 'string' }, directory: { type: 'string' } },
    allowPositionals: true,
  });
  const processesMax = Number(values.processes ?? Infinity);
  const passes = positionals.map(passOf);
  const suite = new Suite(values.directory ?? repositoryRoot, (output) => process.stdout.write(output));
  let ended: NodeJS.Signals | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      suite.end();
      if (ended !== undefined) process.exit(statusOf(signal));
      ended = signal;
    });
  }
  const startMs = performance.now();
  for (const pass of passes) {
    await suite.run({ ...pass, processes: Math.min(pass.processes, processesMax) });
  }
  process.stdout.write(suite.summary((performance.now() - startMs) / 1000));
  if (ended !== undefined) {
    process.exitCode = statusOf(ended);
    return;
  }
  const { passed, failed } = suite.sum;
  if (values.counts !== undefined) writeFileSync(values.counts, `${String(passed)} ${String(failed)}\n`);
  process.exitCode = failed === 0 ? 0 : 1;
}

function statusOf(signal: NodeJS.Signals): number {
  return 128 + os.constants.signals[signal];
}

function passOf(name: string): Pass {
  const pass = PASSES[name];
  if (pass === undefined) throw new Error(`there is no pass ${name}, only ${Object.keys(PASSES).join(', ')}`);
  return pass;
}

await main();
