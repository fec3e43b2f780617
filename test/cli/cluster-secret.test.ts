import { expect } from 'chai';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { readClusterSecret } from '../../src/cli/cluster-secret.js';
import { EXIT, UsageError } from '../../src/cli/exit.js';
import { serverFixture } from '../server/running-server.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { runKv } from './run-kv.js';

const SECRET = '0123456789abcdef';

describe('The secret of a cluster', () => {
  const directory = temporaryDirectory();

  function file(content: string | Buffer, mode = 0o600): string {
    const name = path.join(directory.path, 'secret');
    writeFileSync(name, content);
    chmodSync(name, mode);
    return name;
  }

  async function read(name: string | undefined, variable?: string): Promise<string | undefined> {
    const environment = variable === undefined ? {} : { KV_CLUSTER_SECRET: variable };
    const { secret } = await readClusterSecret(name, environment);
    return secret?.toString('latin1');
  }

  async function fault(name: string | undefined, variable?: string): Promise<string> {
    try {
      await read(name, variable);
    } catch (error) {
      expect(error).to.be.instanceOf(UsageError);
      return (error as Error).message;
    }
    throw new Error('it was taken');
  }

  it('IsWhatTheFileHoldsButForOneLineEnding', async () => {
    for (const ending of ['', '\n', '\r\n']) expect(await read(file(SECRET + ending))).to.equal(SECRET);
    expect(await read(file(`${SECRET}\n\n`))).to.equal(`${SECRET}\n`);
    expect(await read(file(`${SECRET}\r`))).to.equal(`${SECRET}\r`);
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, at) => at));
    expect(await read(file(bytes))).to.equal(bytes.toString('latin1'));
  });

  it('IsWhatTheEnvironmentHolds', async () => {
    expect(await read(undefined, `${SECRET}\n`)).to.equal(SECRET);
    expect([await read(undefined), await read(undefined, '')]).to.deep.equal([undefined, undefined]);
  });

  it('MayBeGivenTwiceWhenItIsTheSame', async () => {
    expect(await read(file(`${SECRET}\n`), SECRET)).to.equal(SECRET);
    expect(await read(file(SECRET), '')).to.equal(SECRET);
    expect(await fault(file(SECRET), `${SECRET}0`)).to.match(/different secrets: give one of them/);
  });

  it('IsRefusedPastItsBoundsAndNeverShown', async () => {
    expect(await read(file('x'.repeat(4096)))).to.have.length(4096);
    expect(await read(file(`${'x'.repeat(4096)}\r\n`))).to.have.length(4096);
    for (const content of ['', 'secretsecretse\n', 's'.repeat(4097), 's'.repeat(1_000_000)]) {
      const message = await fault(file(content));
      expect(message).to.include('openssl rand -hex 32').and.include('16 to 4096 bytes');
      expect(message.includes('secretse') || message.includes('ssss')).to.equal(false);
    }
    expect(await fault(undefined, 'short')).to.match(/^KV_CLUSTER_SECRET: .*openssl rand -hex 32/);
  });

  it('IsRefusedWhenItsFileCannotBeRead', async () => {
    expect(await fault(path.join(directory.path, 'none'))).to.match(
      /^--cluster-secret-file cannot be read: ENOENT/,
    );
    const inner = path.join(directory.path, 'inner');
    mkdirSync(inner);
    expect(await fault(inner)).to.match(/^--cluster-secret-file cannot be read: EISDIR/);
  });

  for (const [mode, isOpen] of [
    [0o600, false],
    [0o400, false],
    [0o640, true],
    [0o604, true],
    [0o644, true],
  ] as const) {
    it(`IsSaidToBeReadByOthers with mode ${mode.toString(8)}: ${String(isOpen)}`, async () => {
      const { isOpenToOthers } = await readClusterSecret(file(SECRET, mode), {});
      expect(isOpenToOthers).to.equal(isOpen);
    });
  }

  it('StopsAServerBeforeItTouchesAnythingWhenItIsWrong', async () => {
    const dbPath = path.join(directory.path, 'kv-store.json');
    const words = ['server', '--address', '127.0.0.1:0', '--db-path', dbPath];
    const { code, stderr } = await runKv([...words, '--cluster-secret-file', file('short and sweet')]);
    expect(code).to.equal(EXIT.usage);
    expect(stderr).to.include('openssl rand -hex 32').and.not.include('short and sweet');
    const both = await runKv([...words, '--cluster-secret-file', file(SECRET)], {
      environment: { KV_CLUSTER_SECRET: `${SECRET}${SECRET}` },
    });
    expect([both.code, both.stderr.includes(SECRET)]).to.deep.equal([EXIT.usage, false]);
  });

  it('IsInTheHelp', async () => {
    const { stdout } = await runKv(['server', '--help']);
    expect(stdout.toString()).to.include('--cluster-secret-file FILE').and.include('KV_CLUSTER_SECRET');
  });

  describe('of a server in this process', () => {
    const servers = serverFixture();

    it('IsHeldToTheSameBounds', async () => {
      expect(await servers.start({ clusterSecret: 'short' }).catch(String)).to.match(
        /^StartFault: .*openssl rand -hex 32/,
      );
      const node = await servers.start({ clusterSecret: SECRET });
      expect(node.role).to.equal('primary');
    });
  });
});
