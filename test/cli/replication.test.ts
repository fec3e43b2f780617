import { expect } from 'chai';
import { formatPromotion } from '../../src/cli/commands/promote.js';
import { progressLine } from '../../src/cli/progress.js';
import { greeting } from '../../src/cli/greeting.js';
import type { Term } from '../../src/engine.js';
import { NOTHING, OK, notPrimary, ok, refused, value, values } from '../client/resp-answers.js';
import { startScriptedServer } from '../client/scripted-server.js';
import type { Script, ScriptedServer } from '../client/scripted-server.js';
import { runKv } from './run-kv.js';
import type { Finished, RunOptions } from './run-kv.js';
import { statusWith } from './status-answer.js';

const PLAIN = {
  keys: 0,
  isDiskFull: false,
  members: [],
  guarantees: { fsync: 'always', acks: 'majority', failover: 'manual', linearizableReads: true },
} as const;
const NOTHING_ASKED = {
  primary: undefined,
  join: undefined,
  advertise: undefined,
  acks: undefined,
  failover: undefined,
};

describe('kv and replication', () => {
  const servers: ScriptedServer[] = [];

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  async function node(script: Script): Promise<ScriptedServer> {
    const server = await startScriptedServer(script);
    servers.push(server);
    return server;
  }

  /** Runs a command that is to succeed, and answers what it prints. */
  async function output(words: readonly string[], options: RunOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await runKv(words, options);
    expect([code, stderr], words.join(' ')).to.deep.equal([0, '']);
    return stdout.toString();
  }

  describe('add-backup', () => {
    /** A primary that has the backup go through these states, one for each STATUS behind ADD_BACKUP. */
    function primaryWith(states: readonly (string | undefined)[]): Promise<ScriptedServer> {
      let asked = -1;
      return node((line) => {
        if (line.startsWith('ADD_BACKUP')) return ok('state=learner');
        const state = asked < 0 ? undefined : states[Math.min(asked, states.length - 1)];
        asked++;
        return statusWith(state);
      });
    }

    function add(primary: ScriptedServer, ...more: string[]): Promise<Finished> {
      return runKv(['add-backup', '--primary', primary.address, '--backup', 'b:2', ...more]);
    }

    it('WaitsUntilTheBackupIsAMember', async () => {
      const primary = await primaryWith([undefined, 'learner', 'silent', 'learner', 'member']);
      const { code, stdout, stderr } = await add(primary);
      expect([code, stderr]).to.deep.equal([0, '']);
      expect(stdout.toString())
        .to.match(/^b:2 is a member: /)
        .and.to.include('With two members every write needs both')
        .and.to.include(`Next: "kv status --address ${primary.address}"`);
      expect(primary.lines).to.deep.equal(['STATUS', 'ADD_BACKUP b:2', ...Array<string>(5).fill('STATUS')]);
    });

    it('KnowsTheBackupUnderTheNameThatTheClusterGivesIt', async () => {
      const primary = await primaryWith(['learner', 'member']);
      const words = ['add-backup', '--primary', primary.address, '--backup', 'localhost:2'];
      expect(await output(words)).to.match(/^localhost:2 is a member: /);
    });

    it('DoesNotWaitWhenItIsToldNotTo', async () => {
      const primary = await primaryWith(['learner']);
      const { code, stdout } = await add(primary, '--no-wait');
      expect([code, primary.lines]).to.deep.equal([0, ['STATUS', 'ADD_BACKUP b:2']]);
      expect(stdout.toString()).to.match(/^b:2 was added and is catching up/);
    });

    it('SaysInJsonWhatBecameOfIt', async () => {
      for (const [more, state] of [
        [[], 'member'],
        [['--no-wait'], 'learner'],
      ] as const) {
        const primary = await primaryWith(['member']);
        const { stdout } = await add(primary, '--format', 'json', ...more);
        expect(JSON.parse(stdout.toString())).to.deep.equal({
          primary: primary.address,
          backup: 'b:2',
          state,
        });
      }
    });

    it('EndsInTimeAndSaysThatTheBackupGoesOn', async () => {
      const primary = await primaryWith(['learner']);
      const { code, stdout, stderr } = await add(primary, '--timeout', '0.5');
      expect([code, stdout.length]).to.deep.equal([3, 0]);
      expect(stderr).to.equal(
        'kv: b:2 was added and is no member yet, 7 entries (2.0 KiB) behind: it becomes one by itself; ' +
          `"kv status --address ${primary.address}" shows when\n`,
      );
    });

    it('StopsWhenTheBackupOrThePrimaryIsNotWhatItWas', async () => {
      const dropped = await add(await primaryWith(['learner', undefined]));
      expect(dropped.code).to.equal(5);
      expect(dropped.stderr).to.match(/^kv: \S+ does not list b:2 any more: [^\n]+\n$/);
      let asked = 0;
      const deposed = await add(
        await node((line) =>
          line === 'STATUS' ? statusWith('learner', asked++ > 0 ? 'backup' : 'primary') : OK,
        ),
      );
      expect(deposed.code).to.equal(5);
      expect(deposed.stderr).to.match(/^kv: \S+ is the primary no more: [^\n]+\n$/);
    });

    it('TellsARefusalWithItsCode', async () => {
      for (const [refusal, message, code] of [
        ['NOT_PRIMARY', 'c:3 is the primary', 5],
        ['ALREADY_MEMBER', 'b:2 takes part already', 5],
        ['UNREACHABLE', 'nothing listens at b:2', 5],
        ['UNCONFIRMED', 'it may still come', 6],
      ] as const) {
        const primary = await node((line) =>
          line === 'STATUS' ? statusWith(undefined) : refused(refusal, message),
        );
        const finished = await add(primary);
        expect([finished.code, finished.stdout.length], refusal).to.deep.equal([code, 0]);
        expect(finished.stderr).to.include(message);
      }
    });
  });

  it('RemoveBackupSaysWhatItWasTold', async () => {
    const primary = await node((line) =>
      line.startsWith('REMOVE_BACKUP b:2') ? OK : refused('SYNTAX', 'x'),
    );
    const words = ['remove-backup', '--primary', primary.address, '--backup', 'b:2'];
    expect(await output(words)).to.match(/^b:2 takes part no more\.\nNext: .*kv add-backup --primary /);
    const json = await output([...words, '--backup-is-down', '--format', 'json']);
    expect(JSON.parse(json)).to.deep.equal({ primary: primary.address, backup: 'b:2', state: 'removed' });
    expect(primary.lines).to.deep.equal(['REMOVE_BACKUP b:2', 'REMOVE_BACKUP b:2 BACKUP_IS_DOWN']);
  });

  it('RemoveBackupOfThePrimaryItselfSaysWhoTakesOver', async () => {
    let asked = 0;
    const primary: ScriptedServer = await node((line) => {
      if (line !== 'STATUS') return OK;
      const isFirst = asked++ === 0;
      return isFirst ? values('role=primary', 'primary=a:1') : values('role=backup', 'primary=b:2');
    });
    const words = ['remove-backup', '--primary', primary.address, '--backup', primary.address];
    expect(await output(words)).to.equal(
      `${primary.address} takes part no more, and b:2 is the primary now.\n` +
        `Next: stop it, or bring it back with "kv add-backup --primary b:2 --backup ${primary.address}".\n`,
    );
    expect(primary.lines).to.deep.equal([`REMOVE_BACKUP ${primary.address}`, 'STATUS', 'STATUS']);
    const silent = await node((line) => (line === 'STATUS' ? values('role=backup', 'primary=none') : OK));
    const unknown = ['remove-backup', '--primary', silent.address, '--backup', silent.address];
    expect(await output([...unknown, '--timeout', '0.5'])).to.match(/does not know yet who takes over/);
  });

  describe('promote', () => {
    it('PrintsWhatWasFoundAndDecidedAndTheNextStep', async () => {
      const backup = await node(() =>
        ok('role=primary term=4 position=4:10 found=b:22@3:9,a:1@none left_out=a:1'),
      );
      const text = await output(['promote', '--address', backup.address, '--others-are-down']);
      expect(text).to.equal(
        [
          'Found:',
          '  b:22  has everything up to 3:9',
          '  a:1   no answer',
          '',
          `${backup.address} is the primary now, in term 4, at 4:10.`,
          'Left out, and counted no more: a:1.',
          '',
          'Next: start what was left out again. It finds the new primary and waits to be added with',
          `  kv add-backup --primary ${backup.address} --backup a:1`,
          '',
        ].join('\n'),
      );
      const json = await output(['promote', '--address', backup.address, '--format', 'json']);
      expect(JSON.parse(json)).to.deep.equal({
        address: backup.address,
        role: 'primary',
        term: 4,
        position: '4:10',
        found: [
          { address: 'b:22', position: '3:9' },
          { address: 'a:1', position: null },
        ],
        left_out: ['a:1'],
        handed_over_by: null,
        known_up_to: null,
      });
      await output(['promote', '--others-are-down', '--accept-data-loss'], {
        environment: { KV_ADDRESS: backup.address },
      });
      expect(backup.lines).to.deep.equal([
        'PROMOTE OTHERS_ARE_DOWN',
        'PROMOTE',
        'PROMOTE OTHERS_ARE_DOWN ACCEPT_DATA_LOSS',
      ]);
    });

    it('TellsAHandOverAndALoss', () => {
      const report = {
        term: 4,
        position: '4:10',
        found: [],
        leftOut: [],
        handedOverBy: 'a:1',
        knownUpTo: '3:9',
      };
      expect(formatPromotion('b:2', report)).to.deep.equal([
        'b:2 is the primary now, in term 4, at 4:10.',
        'a:1 handed over and is its backup now: nothing was lost.',
        'Data may be lost: it is known up to 3:9. What was acknowledged behind that is gone.',
        '',
        'Next: see how the members do with',
        '  kv status --address b:2',
      ]);
    });

    it('TellsThatThePrimaryWasOneAlready', () => {
      const report = {
        term: 4,
        position: '4:10',
        found: [],
        leftOut: [],
        handedOverBy: undefined,
        knownUpTo: undefined,
      };
      expect(formatPromotion('b:2', report)[0]).to.equal('b:2 is the primary already, in term 4, at 4:10.');
    });

    it('TellsARefusalAndAnUnknownOutcome', async () => {
      for (const [answer, code, stderr] of [
        [refused('NO_QUORUM', 'a:1 does not answer'), 5, /^kv: a:1 does not answer \(NO_QUORUM\)\n$/],
        [refused('LAGGING', 'a:1 has more'), 5, /^kv: a:1 has more \(LAGGING\)\n$/],
        [undefined, 6, /^kv: unconfirmed: no answer within .*: look at "kv status" before [^\n]*\n$/],
      ] as const) {
        const { address } = await node(() => answer);
        const finished = await runKv(['promote', '--address', address, '--timeout', '0.4']);
        expect([finished.code, finished.stdout.length]).to.deep.equal([code, 0]);
        expect(finished.stderr).to.match(stderr);
      }
    });
  });

  it('WritesFollowToThePrimaryAndAReadStaysWithTheBackup', async () => {
    const primary = await node((line) => (line.startsWith('DELETE') ? NOTHING : OK));
    const backup = await node((line) =>
      line.startsWith('GET') ? value('old') : notPrimary(`${primary.address} is the primary`),
    );
    const at = ['--address', backup.address];
    expect(await output(['put', 'k', 'v', ...at])).to.equal('OK\n');
    expect(await output(['get', 'k', ...at])).to.equal('old');
    expect((await runKv(['delete', 'k', ...at])).code).to.equal(1);
    expect(primary.lines).to.deep.equal(['PUT k v', 'DELETE k']);
    const unknown = await node(() => notPrimary('unknown is the primary: see kv status'));
    const unnamed = await runKv(['put', 'k', 'v', '--address', unknown.address]);
    expect([unnamed.code, unnamed.stderr]).to.deep.equal([
      5,
      'kv: unknown is the primary: see kv status (NOT_PRIMARY)\n',
    ]);
  });

  it('APrimaryThatIsGoneIsToldApartFromTheBackupThatNamedIt', async () => {
    const gone = await startScriptedServer(() => undefined);
    await gone.close();
    const backup = await node(() => notPrimary(gone.address));
    const { code, stderr } = await runKv(['put', 'k', 'v', '--address', backup.address]);
    expect(code).to.equal(3);
    expect(stderr).to.match(
      /^kv: \S+ is a backup, and its primary is out of reach: [^\n]*"kv promote"[^\n]*\n$/,
    );
    expect(stderr).to.include(gone.address).and.to.include(backup.address);
  });

  it('ABackupGreetsWithTheCommandThatAddsIt', () => {
    const term = 0 as Term;
    const place = { address: '127.0.0.1:7002', role: 'backup', service: 'unadopted', term } as const;
    const node = { ...place, ...PLAIN };
    const options = { ...NOTHING_ASKED, dbPath: 'b.json', primary: { host: '::1', port: 7001 } };
    const lines = greeting(node, options, {});
    expect(lines[0]).to.equal('ready 127.0.0.1:7002 role=backup term=0');
    expect(lines).to.include('    kv add-backup --primary [::1]:7001 --backup 127.0.0.1:7002');
    expect(lines).to.include('    kv status --address 127.0.0.1:7002');
    expect(lines.join('\n')).not.to.include('put mykey');
    const elsewhere = { ...options, advertise: { host: 'db-2', port: 1 } };
    expect(greeting(node, elsewhere, { npm_lifecycle_event: 'start' })).to.include(
      '    npx kv add-backup --primary [::1]:7001 --backup db-2:1',
    );
    const primary = greeting({ ...node, role: 'primary' }, { ...options, primary: undefined }, {}).join('\n');
    expect(primary).to.include('kv put mykey').and.not.to.include('add-backup');
  });

  it('KeysAreCountedInTheGreetingOfANodeThatServesOnly', () => {
    const place = { address: '127.0.0.1:7001', role: 'primary', term: 1 as Term } as const;
    const node = { ...place, ...PLAIN };
    const options = { ...NOTHING_ASKED, dbPath: 'a.json' };
    const told = (service: 'serving' | 'waiting'): string =>
      greeting({ ...node, service }, options, {})[2] ?? '';
    expect(told('serving')).to.equal('  0 keys in a.json. In another terminal:');
    expect(told('waiting')).to.equal('  The data is in a.json. In another terminal:');
  });

  it('AServerThatStartsOnAFullDiskSaysSoInItsGreeting', () => {
    const place = { address: '127.0.0.1:7001', role: 'primary', term: 1 as Term } as const;
    const node = { ...place, ...PLAIN, service: 'waiting', isDiskFull: true } as const;
    const lines = greeting(node, { ...NOTHING_ASKED, dbPath: 'a.json' }, {});
    expect(lines[0]).to.equal('ready 127.0.0.1:7001 role=primary term=0');
    expect(lines.join('\n')).to.match(/The disk is full: .*Make room on it/);
  });

  it('ProgressIsShownInItsPlaceOnATerminalOnly', () => {
    for (const [isTTY, expected] of [
      [true, '\r\u001b[Kone\r\u001b[Ktwo\r\u001b[K'],
      [undefined, ''],
    ] as const) {
      let written = '';
      const stream = {
        write: (text: string) => (written += text),
        ...(isTTY === undefined ? {} : { isTTY }),
      };
      const progress = progressLine(stream);
      progress.show('one');
      progress.show('two');
      progress.end();
      progress.end();
      expect(written).to.equal(expected);
    }
  });
});
