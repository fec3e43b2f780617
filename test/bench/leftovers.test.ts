import { expect } from 'chai';
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';

const LEFTOVERS = new URL('../../bench/leftovers.js', import.meta.url).href;

/** A bench that has a directory and a process, which has one of its own, when it says so; then it does `last`. */
function script(last: string): string {
  const grandchild = `setInterval(() => undefined, 1000);`;
  const child = `
    const { spawn } = require('node:child_process');
    const own = spawn(process.execPath, ['-e', ${JSON.stringify(grandchild)}]);
    console.log(process.pid, own.pid);
    setInterval(() => undefined, 1000);`;
  return `
    import { tmpdir } from 'node:os';
    import { scratchDirectory, startProcess } from '${LEFTOVERS}';
    const directory = scratchDirectory(tmpdir());
    const child = startProcess(process.execPath, ['-e', ${JSON.stringify(child)}], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout.on('data', (pids) => {
      console.log(directory + ' ' + String(pids).trim());
      ${last}
    });`;
}

describe('What a bench leaves behind', () => {
  let bench: ChildProcessWithoutNullStreams;
  let directory: string;
  let pids: number[];

  beforeEach(() => {
    [directory, pids] = ['', []];
  });

  // Where the bench did leave something, this test does not.
  afterEach(() => {
    bench.kill('SIGKILL');
    for (const pid of pids.filter(isAlive)) process.kill(pid, 'SIGKILL');
    if (directory !== '') rmSync(directory, { recursive: true, force: true });
  });

  async function leftBy(last: string, signal?: NodeJS.Signals): Promise<string[]> {
    bench = spawn(process.execPath, ['--input-type=module', '-e', script(last)]);
    const ended = once(bench, 'exit');
    const [line] = (await once(createInterface({ input: bench.stdout }), 'line')) as [string];
    const words = line.split(' ');
    [directory, pids] = [words[0] ?? '', words.slice(1).map(Number)];
    if (signal !== undefined) bench.kill(signal);
    await ended;
    expect(pids).to.have.length(2);
    const isThere = existsSync(directory) ? [directory] : [];
    for (const pid of pids) if (await outlives(pid)) isThere.push(String(pid));
    return isThere;
  }

  /** Whether a process is still there after a while: one that was killed ends soon, not at once. */
  async function outlives(pid: number): Promise<boolean> {
    const untilMs = performance.now() + 5000;
    while (isAlive(pid) && performance.now() < untilMs) {
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
    }
    return isAlive(pid);
  }

  function isAlive(pid: number): boolean {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    it(`IsNothingAfter${signal}`, async () => {
      expect(await leftBy('', signal)).to.deep.equal([]);
    });
  }

  it('IsNothingAfterAnErrorThatNobodyCatches', async () => {
    expect(await leftBy(`throw new Error('on purpose');`)).to.deep.equal([]);
  });

  it('IsNothingAfterItsEnd', async () => {
    expect(await leftBy('process.exit(0);')).to.deep.equal([]);
  });
});
