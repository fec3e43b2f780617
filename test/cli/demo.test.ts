import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { repositoryRoot } from '../repository-root.js';
import { temporaryDirectory } from '../temporary-directory.js';

const DEMO = fileURLToPath(new URL('../../src/cli/demo.js', import.meta.url));
const NAMES = ['anna', 'berta', 'clara'] as const;

interface Played {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Servers that ran when its output was looked at. */
  readonly servers: ReadonlySet<number>;
}

describe('npm run demo', function () {
  this.timeout(60_000);
  const directory = temporaryDirectory();

  /** Runs the demo; `onOutput` is told of everything that it has printed, and may interfere. */
  function play(
    onOutput: (stdout: string, demo: { interrupt(): void; serverOf(name: string): number }) => void = () =>
      undefined,
  ): Promise<Played> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [DEMO], { env: { ...process.env, TMPDIR: directory.path } });
      const servers = new Set<number>();
      let [stdout, stderr] = ['', ''];
      const demo = { interrupt: () => child.kill('SIGINT'), serverOf: (name: string) => serverOf(name)! };
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk.toString();
        for (const name of NAMES) {
          const server = serverOf(name);
          if (server !== undefined) servers.add(server);
        }
        onOutput(stdout, demo);
      });
      child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, stdout, stderr, servers }));
    });
  }

  function serverOf(name: string): number | undefined {
    const [stage] = readdirSync(directory.path);
    const lock = path.join(directory.path, stage ?? '', `${name}.json.d`, 'lock');
    const text = existsSync(lock) ? readFileSync(lock, 'utf8') : '';
    return text === '' ? undefined : Number(text);
  }

  function expectNothingLeft({ servers }: Played): void {
    expect(readdirSync(directory.path)).to.deep.equal([]);
    for (const server of servers) {
      expect(() => process.kill(server, 0), String(server)).to.throw('ESRCH');
    }
  }

  it('PlaysTheWalkToItsEndAndCleansUp', async () => {
    const played = await play();
    expect([played.code, played.stderr]).to.deep.equal([0, '']);
    expect(played.stdout)
      .to.match(/writes are there: nothing is lost\.\n/)
      .and.match(/promote berta .* \d+(\.\d)? m?s\n/)
      .and.match(/ERROR NOT_PRIMARY 127\.0\.0\.1:\d+ /)
      .and.match(/two changes of the primary, nothing lost\.\n$/);
    expect(played.servers.size).to.be.greaterThan(NAMES.length - 1);
    expectNothingLeft(played);
  });

  it('EndsWithStatusOneAndCleansUpWhenSomethingFails', async () => {
    let isDone = false;
    const played = await play((stdout, demo) => {
      if (isDone || !stdout.includes('read it at berta')) return;
      isDone = true;
      process.kill(demo.serverOf('berta'), 'SIGKILL');
    });
    expect(played.code).to.equal(1);
    expect(played.stderr).to.match(/^demo: promote berta[^\n]*: [^\n]+\n/);
    expectNothingLeft(played);
  });

  it('CleansUpWhenItIsInterrupted', async () => {
    const played = await play((stdout, demo) => {
      if (stdout.includes('add berta')) demo.interrupt();
    });
    expect([played.code, played.stderr]).to.deep.equal([130, 'demo: interrupted\n']);
    expectNothingLeft(played);
  });

  it('IsAScriptOfThePackage', () => {
    const { scripts } = JSON.parse(readFileSync(path.join(repositoryRoot, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    expect(scripts.demo).to.equal('node build/src/cli/demo.js');
    expect(scripts.predemo).to.equal('npm run build');
  });
});
