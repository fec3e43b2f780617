import { expect } from 'chai';
import { UsageError } from '../../src/cli/exit.js';
import { greeting } from '../../src/cli/greeting.js';
import type { Greeted } from '../../src/cli/greeting.js';
import { startServer } from '../../src/cli/start-server.js';
import type { Guarantees, MemberStatus, NodeId, Term } from '../../src/engine.js';
import { serverOptions } from './server-options.js';

describe('The options of a server that joins', () => {
  it('FailoverIsReadAndNotHadWithAcksZero', () => {
    for (const failover of ['manual', 'auto'] as const)
      expect(serverOptions(['--failover', failover])).to.include({ failover, acks: undefined });
    for (const line of ['--failover auto --acks majority', '--failover auto --acks all', '--acks 0'])
      expect(() => serverOptions(line.split(' ')), line).not.to.throw();
    expect(() => serverOptions(['--acks', '0', '--failover', 'auto'])).to.throw(
      UsageError,
      'use --acks majority with --failover auto',
    );
  });

  it('ANodeJoinsAnotherOneAndIsItselfABackup', () => {
    const join = { host: 'db-1', port: 7001 };
    expect(serverOptions(['--join', 'db-1:7001'])).to.deep.include({ join, role: undefined });
    expect(serverOptions('--join db-1:7001 --role backup'.split(' '))).to.deep.include({
      join,
      primary: undefined,
    });
    for (const [line, reason] of [
      ['--join h', 'HOST:PORT'],
      ['--join h:0', 'port 0'],
      ['--join h:1 --role primary', 'leave out --role primary'],
      ['--join h:1 --primary h:1', 'give one of the two'],
      ['--join h:1 --role backup --primary h:1', 'give one of the two'],
      ['--join 127.0.0.1:7001', 'names this node itself'],
      ['--join h:1 --advertise h:1', 'names this node itself'],
      ['--join h:1 --address 0.0.0.0:7001', 'give --advertise'],
      ['--join h:1 --address [::]:7001', 'give --advertise'],
    ] as const) {
      expect(() => serverOptions(line.split(' ')), line).to.throw(UsageError, reason);
    }
    const everywhere = '--join h:1 --address 0.0.0.0:7001 --advertise db-2:7001';
    expect(() => serverOptions(everywhere.split(' '))).not.to.throw();
  });

  it('AreCheckedInTheLibraryAsWell', async () => {
    const server = { address: { host: '127.0.0.1', port: 7001 }, dbPath: '/nowhere/kv.json' };
    for (const [options, reason] of [
      [{ acks: '0', failover: 'auto' }, /use --acks majority with --failover auto/],
      [{ join: { host: 'h', port: 1 }, role: 'primary' }, /leave out --role primary/],
      [{ join: { host: 'h', port: 1 }, primary: { host: 'h', port: 1 } }, /give one of the two/],
      [{ join: server.address }, /names this node itself/],
    ] as const) {
      const refused = await startServer({ ...server, ...options }).catch(String);
      expect(refused)
        .to.match(/^StartFault: /)
        .and.to.match(reason);
    }
  });
});

describe('The greeting of a server whose members make their own primary', () => {
  function member(port: number): MemberStatus {
    return {
      node: String(port) as NodeId,
      address: `127.0.0.1:${String(port)}`,
      role: port === 7001 ? 'primary' : 'backup',
      state: 'member',
      acked: undefined,
      lag: undefined,
      lagBytes: undefined,
      silentMs: undefined,
    };
  }

  function greeted(
    words: string,
    settings: Partial<Guarantees>,
    members: readonly number[],
    node: Partial<Greeted> = {},
  ): string {
    const guarantees = {
      fsync: 'always',
      acks: 'majority',
      failover: 'manual',
      linearizableReads: true,
      ...settings,
    } as const;
    const place = { address: '127.0.0.1:7001', role: 'primary', service: 'serving' } as const;
    const facts = { term: 1 as Term, keys: 0, isDiskFull: false, guarantees, members: members.map(member) };
    return greeting({ ...place, ...facts, ...node }, serverOptions(words.split(' ')), {}).join('\n');
  }

  it('TellsTheFirstNodeHowTheTwoOthersAreStarted', () => {
    const alone = greeted('--failover auto', { failover: 'auto' }, [7001]);
    expect(alone)
      .to.include('Automatic failover needs three members. The two others:')
      .and.to.include('kv server --join 127.0.0.1:7001 --address 127.0.0.1:7002 --db-path node2.json')
      .and.to.include('kv server --join 127.0.0.1:7001 --address 127.0.0.1:7003 --db-path node3.json');
    const advertised = greeted('--failover auto --advertise db-1:9', { failover: 'auto' }, [7001]);
    expect(advertised).to.include('kv server --join db-1:9 --address 127.0.0.1:7002');
    const pair = greeted('--failover auto', { failover: 'auto' }, [7001, 7002]);
    expect(pair).to.match(/cannot help with two members: one of them alone is no majority/);
    for (const [failover, members] of [
      ['auto', [7001, 7002, 7003]],
      ['manual', [7001]],
    ] as const)
      expect(greeted('--db-path a.json', { failover }, members)).not.to.include('--join');
  });

  it('TellsWhatIsNotTakenAndWhatWaits', () => {
    const both = [7001, 7002, 7003];
    expect(greeted('--acks 0', { failover: 'auto' }, both)).to.include(
      '--acks 0 is not taken: this cluster has --failover auto, and the two exclude each other.',
    );
    expect(greeted('--failover auto', { acks: '0' }, both)).to.include(
      '--failover auto is not taken: this cluster has --acks 0',
    );
    const backup = { role: 'backup', service: 'following' } as const;
    expect(greeted('--failover auto', {}, both, backup)).to.include(
      '--failover auto: set once this node is the primary. Until then the cluster has --acks majority and --failover manual.',
    );
    for (const quiet of [
      greeted('--failover auto', { failover: 'auto' }, both, backup),
      greeted('--db-path a.json', {}, both, backup),
      greeted('--failover manual', { failover: 'auto' }, both),
    ])
      expect(quiet).not.to.match(/not taken|set once/);
  });

  it('OfANodeThatJoinedNeedsNoAddBackup', () => {
    const lines = greeted('--join 127.0.0.1:7009', {}, [7001], { role: 'backup', service: 'following' });
    expect(lines).to.include('kv status').and.not.to.include('add-backup');
  });
});
