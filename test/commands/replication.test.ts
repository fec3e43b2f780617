import { expect } from 'chai';
import { isNumbering, isWrite } from '../../src/commands/command.js';
import { resolveCommand, takesRest } from '../../src/commands/resolve.js';
import { refusal } from '../../src/engine.js';
import type { Engine, Reconfiguration } from '../../src/engine.js';
import { DEFAULT_REQUEST_LIMITS } from '../../src/protocol/limits.js';
import { RequestReader } from '../../src/protocol/request-reader.js';
import { isViolation } from '../../src/protocol/request.js';
import type { Request } from '../../src/protocol/request.js';
import { lineReply } from '../protocol/replying.js';
import { FakeEngine, RECONFIGURED, STATUS, position } from './fake-engine.js';
import { aSession } from './fake-session.js';

/** What a line is answered with, all of it. A line without its line feed is one that was cut off. */
async function answer(engine: Engine, line: string): Promise<string> {
  const limits = DEFAULT_REQUEST_LIMITS;
  const reader = new RequestReader({ limits, takesRest });
  reader.feed(Buffer.from(line));
  reader.end();
  const request = reader.next();
  if (request === undefined || isViolation(request)) throw new Error(`${line} is no request`);
  const { reply, said } = lineReply();
  const command = resolveCommand(request, limits);
  if ('code' in command) reply.error(command);
  else if (isWrite(command) || isNumbering(command)) throw new Error(`${line} writes`);
  else await new Promise<void>((done) => command.run(request, engine, reply, done, aSession()));
  return said().toString();
}

describe('The commands of replication', () => {
  let engine: FakeEngine;

  beforeEach(() => {
    engine = new FakeEngine();
  });

  it('AskTheEngineForWhatTheySay', async () => {
    const cases: [string, string, Reconfiguration][] = [
      ['ADD_BACKUP 127.0.0.1:7002', 'OK state=learner\n', { kind: 'addBackup', address: '127.0.0.1:7002' }],
      ['add_backup "[::1]:07001"', 'OK state=learner\n', { kind: 'addBackup', address: '[::1]:7001' }],
      ['REMOVE_BACKUP db-3:1', 'OK\n', { kind: 'removeBackup', address: 'db-3:1', backupIsDown: false }],
      [
        'REMOVE_BACKUP db-3:1 Backup_Is_Down',
        'OK\n',
        { kind: 'removeBackup', address: 'db-3:1', backupIsDown: true },
      ],
    ];
    for (const [line, reply, change] of cases) {
      expect(await answer(engine, `${line}\n`), line).to.equal(reply);
      expect(engine.asked.pop(), line).to.deep.equal(change);
    }
    for (const [line, othersAreDown, acceptDataLoss] of [
      ['PROMOTE', false, false],
      ['PROMOTE OTHERS_ARE_DOWN', true, false],
      ['promote others_are_down accept_data_loss', true, true],
    ] as const) {
      expect(await answer(engine, `${line}\n`), line).to.equal('OK role=primary term=3 position=3:42\n');
      expect(engine.asked.pop(), line).to.deep.equal({ kind: 'promote', othersAreDown, acceptDataLoss });
    }
  });

  it('AskForNothingWhenTheirWordsAreWrong', async () => {
    const usages: [string, string[]][] = [
      ['ADD_BACKUP host:port', ['ADD_BACKUP', 'ADD_BACKUP a:1 b:2', 'ADD_BACKUP a:1 BACKUP_IS_DOWN']],
      [
        'REMOVE_BACKUP host:port [BACKUP_IS_DOWN]',
        [
          'REMOVE_BACKUP',
          'REMOVE_BACKUP a:1 b:2',
          'REMOVE_BACKUP a:1 DOWN',
          'REMOVE_BACKUP a:1 BACKUP_IS_DOWN BACKUP_IS_DOWN',
        ],
      ],
      [
        'PROMOTE [OTHERS_ARE_DOWN [ACCEPT_DATA_LOSS]]',
        [
          'PROMOTE 127.0.0.1:7002',
          'PROMOTE ACCEPT_DATA_LOSS',
          'PROMOTE ACCEPT_DATA_LOSS OTHERS_ARE_DOWN',
          'PROMOTE OTHERS_ARE_DOWN ACCEPT',
          'PROMOTE OTHERS_ARE_DOWN ACCEPT_DATA_LOSS now',
          'PROMOTE ""',
        ],
      ],
    ];
    for (const [usage, lines] of usages) {
      for (const line of lines) {
        const reply = await answer(engine, `${line}\n`);
        expect(reply, line).to.equal(`ERROR SYNTAX the command is written ${usage}\n`);
      }
    }
    expect(engine.asked).to.deep.equal([]);
  });

  it('AskForNothingWhenTheAddressIsNone', async () => {
    for (const [address, reason] of [
      ['localhost', /write HOST:PORT/],
      ['127.0.0.1:0', /port 0/],
      ['::1:7001', /has no port/],
      ['300.1.1.1:1', /no valid host/],
      ['"a\\nb:1"', /no valid host|no address/],
      ['""', /no address/],
      [`${'a'.repeat(300)}:1`, /too long/],
      ['a'.repeat(65_000), /too long/],
    ] as const) {
      for (const name of ['ADD_BACKUP', 'REMOVE_BACKUP']) {
        const reply = await answer(engine, `${name} ${address}\n`);
        expect(reply, address).to.match(/^ERROR SYNTAX [^\n]{1,500}\n$/);
        expect(reply).to.match(reason);
      }
    }
    expect(engine.asked).to.deep.equal([]);
  });

  it('AreNeverExecutedFromALineThatWasCutOff', async () => {
    for (const line of [
      'ADD_BACKUP 127.0.0.1:7002',
      'REMOVE_BACKUP 127.0.0.1:7002',
      'PROMOTE',
      'PROMOTE OTHERS_ARE_DOWN',
    ]) {
      expect(await answer(engine, line), line).to.match(/^ERROR SYNTAX .*was cut off/);
    }
    expect(engine.asked).to.deep.equal([]);
  });

  it('RunAlone', () => {
    for (const words of [['ADD_BACKUP', 'a:1'], ['REMOVE_BACKUP', 'a:1'], ['PROMOTE']]) {
      const request: Request = {
        framing: 'line',
        words: words.map((word) => ({ bytes: Buffer.from(word), start: 0, end: word.length })),
        terminated: true,
      };
      const command = resolveCommand(request, DEFAULT_REQUEST_LIMITS);
      expect('isQuick' in command && command.isQuick(request)).to.equal(false);
    }
  });

  it('AnswerWhatTheEngineRefuses', async () => {
    engine.outcome = refusal('LAGGING', 'a longer log is out of reach');
    for (const line of ['ADD_BACKUP a:1', 'REMOVE_BACKUP a:1', 'PROMOTE']) {
      expect(await answer(engine, `${line}\n`)).to.equal('ERROR LAGGING a longer log is out of reach\n');
    }
    engine.outcome = new Error('a defect');
    expect(await answer(engine, 'PROMOTE\n')).to.equal('ERROR INTERNAL a defect\n');
  });

  it('TellWhatAPromotionFoundAndDecided', async () => {
    engine.outcome = {
      ...RECONFIGURED,
      found: [
        { address: '[::1]:7002', position: position(2, 40) },
        { address: 'db-3:7003', position: undefined },
      ],
      leftOut: ['db-3:7003', 'db-4:7004'],
      handedOverBy: '127.0.0.1:7001',
      knownUpTo: position(2, 39),
    };
    expect(await answer(engine, 'PROMOTE\n')).to.equal(
      'OK role=primary term=3 position=3:42 found=[::1]:7002@2:40,db-3:7003@none ' +
        'left_out=db-3:7003,db-4:7004 handed_over_by=127.0.0.1:7001 known_up_to=2:39\n',
    );
  });

  it('RefuseALinkToWhoeverIsNoNode', async () => {
    for (const line of ['REPLICATE', 'REPLICATE version=1 node=x']) {
      expect(await answer(engine, `${line}\n`)).to.match(/^ERROR NOT_A_PEER \S.*: .*\n$/);
    }
  });
});

describe('STATUS', () => {
  it('TellsEveryFact', async () => {
    expect(await answer(new FakeEngine(), 'STATUS\n')).to.equal(
      [
        'role=primary',
        'service=serving',
        'advice=none',
        'primary=127.0.0.1:7001',
        'primary_silent_ms=none',
        'behind_ms=none',
        'term=3',
        'position=3:42',
        'commit=41',
        'applied=40',
        'keys=7',
        'data_bytes=70',
        'data_bytes_max=none',
        'sessions=5',
        'snapshot=2:12',
        'waiting_bytes=0',
        'fsync=always',
        'acknowledged_writes_survive=power-cut',
        'acks=majority',
        'failover=manual',
        'reads=linearizable',
        `node=${'a'.repeat(32)}`,
        `cluster=${'c'.repeat(32)}`,
        `member=127.0.0.1:7001 role=primary state=member acked=3:42 lag=0 lag_bytes=0 silent_ms=none node=${'a'.repeat(32)}`,
        `member=[::1]:7002 role=backup state=silent acked=2:40 lag=2 lag_bytes=600 silent_ms=6000 node=${'b'.repeat(32)}`,
        `member=db-3:7003 role=backup state=learner acked=none lag=none lag_bytes=none silent_ms=none node=${'d'.repeat(32)}`,
        'END 26',
        '',
      ].join('\n'),
    );
  });

  it('TellsWhatABackupKnows', async () => {
    const engine = new FakeEngine();
    engine.state = {
      ...STATUS,
      role: 'backup',
      service: 'unadopted',
      advice: 'add it at its primary: ADD_BACKUP',
      primary: undefined,
      primarySilentMs: 1234.5678,
      behindMs: 1500.4,
      cluster: undefined,
      snapshot: undefined,
      members: [],
    };
    const lines = (await answer(engine, 'STATUS\n')).split('\n');
    expect(lines).to.include.members([
      'role=backup',
      'service=unadopted',
      'advice=add it at its primary: ADD_BACKUP',
      'primary=none',
      'primary_silent_ms=1235',
      'behind_ms=1500',
      'cluster=none',
      'snapshot=none',
    ]);
  });

  it('SaysWhatAcknowledgedWritesDoNotSurvive', async () => {
    const engine = new FakeEngine();
    for (const [fsync, acks, survived] of [
      ['always', 'all', 'power-cut'],
      ['everysec', 'majority', 'process-crash'],
      ['always', '0', 'power-cut-but-not-promotion'],
      ['off', '0', 'process-crash-but-not-promotion'],
    ] as const) {
      engine.state = {
        ...STATUS,
        guarantees: { ...STATUS.guarantees, fsync, acks, linearizableReads: true },
      };
      const reply = await answer(engine, 'STATUS\n');
      expect(reply).to.include(`acknowledged_writes_survive=${survived}\n`).and.to.include(`acks=${acks}\n`);
    }
  });
});
