import { renameSync, writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import Mocha from 'mocha';

const { EVENT_RUN_END, EVENT_SUITE_BEGIN, EVENT_SUITE_END, EVENT_TEST_BEGIN, EVENT_TEST_FAIL } =
  Mocha.Runner.constants;

/** Where `test/random.ts` notes the seeds that it draws. */
const DRAWN = Symbol.for('understudy: seeds that were drawn');

/**
 * Shows the tests as `spec` does, and writes what came of them to the file named by the option `output`, as JSON: how many
 * passed and failed, which ones failed, and how long each file took. A run that breaks off writes nothing, and so cannot be
 * taken for one that passed.
 */
class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const { output } = options.reporterOption;
    const failures = [];
    const filesMs = {};
    let beganMs = 0;
    runner.on(EVENT_SUITE_BEGIN, (suite) => {
      if (suite.parent?.root) beganMs = performance.now();
    });
    runner.on(EVENT_SUITE_END, (suite) => {
      if (!suite.parent?.root) return;
      filesMs[suite.file] = (filesMs[suite.file] ?? 0) + performance.now() - beganMs;
    });
    runner.on(EVENT_TEST_BEGIN, () => {
      globalThis[DRAWN] = [];
    });
    runner.on(EVENT_TEST_FAIL, (test, error) => {
      failures.push({ files: [fileOf(test)], title: test.fullTitle(), message: withSeed(messageOf(error)) });
    });
    // What the test that runs has started is ended by its hooks.
    process.once('SIGINT', () => runner.abort());
    runner.once(EVENT_RUN_END, () => {
      const { passes, failures: failed } = runner.stats;
      writeFileSync(`${output}.new`, JSON.stringify({ passed: passes, failed, failures, filesMs }));
      renameSync(`${output}.new`, output);
    });
  }
}

/** A hook has no file of its own. */
function fileOf(runnable) {
  if (runnable === undefined) return '';
  return runnable.file ?? fileOf(runnable.parent);
}

/** What is said by the error and by those that led to it: a seed may be named by either. */
function messageOf(error) {
  const messages = [];
  for (let at = error; at !== undefined && messages.length < 10; at = at?.cause) {
    messages.push(String(at?.message ?? at));
  }
  return messages.join(': ');
}

/** The message, and the first seed that the test drew unless the message names one. */
function withSeed(message) {
  const seed = globalThis[DRAWN]?.[0];
  return seed === undefined || message.includes('KV_SEED=') ? message : `${message} (KV_SEED=${seed})`;
}

export { CountingReporter as default };
