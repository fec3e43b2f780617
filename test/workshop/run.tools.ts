import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { repositoryRoot } from '../repository-root.js';

/** An npm that does nothing but what the variables ask for; its last words are `--counts FILE`. */
const PRETENDED_NPM = `#!/usr/bin/env bash
script=\${2:-$1}
variable=\${script//:/_}
counts="\${variable}_counts" status="\${variable}_status"
if [[ -n \${!counts:-} ]]; then echo "\${!counts}" > "\${!#}"; fi
exit "\${!status:-0}"
`;
const PRETENDED_DPKG = '#!/usr/bin/env bash\necho -n install ok installed\n';

interface Ended {
  readonly status: number | null;
  readonly lastLine: string | undefined;
}

describe('.ci/run', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'understudy-'));
    cpSync(join(repositoryRoot, '.ci'), join(folder, '.ci'), { recursive: true });
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'bin', 'npm'), PRETENDED_NPM, { mode: 0o755 });
    writeFileSync(join(folder, 'bin', 'dpkg-query'), PRETENDED_DPKG, { mode: 0o755 });
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function run(variables: Record<string, string>): Ended {
    const path = `${join(folder, 'bin')}:${process.env.PATH ?? ''}`;
    const { status, stdout } = spawnSync(join(folder, '.ci', 'run'), {
      env: { ...process.env, ...variables, PATH: path },
      encoding: 'utf8',
    });
    return { status, lastLine: stdout.trimEnd().split('\n').at(-1) };
  }

  const runs: readonly [name: string, variables: Record<string, string>, ended: Ended][] = [
    [
      'adds the counts of both runs',
      { test_counts: '40 0', test_tools_counts: '2 0' },
      { status: 0, lastLine: '42 passed, 0 failed' },
    ],
    [
      'ends with a failure when a test failed, and still runs and counts the rest',
      { test_counts: '39 3', test_status: '3', test_tools_counts: '2 0' },
      { status: 1, lastLine: '41 passed, 3 failed' },
    ],
    [
      'takes a run that counted nothing for a failed one',
      { test_status: '7', test_tools_counts: '2 0' },
      { status: 1, lastLine: '2 passed, 1 failed' },
    ],
    [
      'takes a run that counted nothing for a failed one, even if it ended well',
      { test_tools_counts: '2 0' },
      { status: 1, lastLine: '2 passed, 1 failed' },
    ],
    [
      'takes a run that broke off after its last test for a failed one',
      { test_counts: '40 0', test_status: '1', test_tools_counts: '2 0' },
      { status: 1, lastLine: '42 passed, 1 failed' },
    ],
    [
      'counts the linter as one that failed',
      { test_counts: '40 0', test_tools_counts: '2 0', lint_status: '1' },
      { status: 1, lastLine: '42 passed, 1 failed' },
    ],
    [
      'counts an installation and a build that failed',
      { ci_status: '1', build_status: '2', test_status: '2', test_tools_status: '2' },
      { status: 1, lastLine: '0 passed, 4 failed' },
    ],
  ];
  for (const [name, variables, ended] of runs) {
    it(name, () => {
      expect(run(variables)).to.deep.equal(ended);
    });
  }
});
