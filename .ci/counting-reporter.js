import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/**
 * Shows the tests as `spec` does, and writes how many passed and failed to the file named by the option `output`.
 * A run that breaks off writes nothing, and so cannot be taken for one that passed.
 */
class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const { output } = options.reporterOption;
    runner.once(Mocha.Runner.constants.EVENT_RUN_END, () => {
      writeFileSync(output, `${runner.stats.passes} ${runner.stats.failures}\n`);
    });
  }
}

export { CountingReporter as default };
