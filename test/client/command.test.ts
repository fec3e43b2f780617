import { expect } from 'chai';
import { concernsTheConnection, effectOf } from '../../src/client/effects.js';
import { COMMANDS } from '../../src/commands/table.js';
import { failureOf, useScriptedServers } from './client-fixture.js';
import { NOTHING, OK, integer, list, notPrimary, ok, refused, text, value } from './resp-answers.js';

describe('any command', () => {
  const start = useScriptedServers();

  it('IsSentAsItsWordsAndAnsweredWithWhateverCame', async () => {
    const answers = [OK, ok('a=1 b=2'), text('PONG'), value('a\nb'), integer(-3), NOTHING];
    const [kv, remote] = await start((line) => answers[Number(line.slice(2))] ?? list(...answers));
    const expected = [
      { kind: 'ok', fields: '' },
      { kind: 'ok', fields: 'a=1 b=2' },
      { kind: 'text', text: 'PONG' },
      { kind: 'value', bytes: Buffer.from('a\nb') },
      { kind: 'integer', value: -3 },
      { kind: 'null' },
    ];
    for (const [at, reply] of expected.entries()) {
      expect(await kv.command(['x', String(at)])).to.deep.equal(reply);
    }
    expect(await kv.command(['x', '6', Buffer.from('two words')])).to.deep.equal({
      kind: 'list',
      items: expected,
    });
    expect(remote.lines.at(-1)).to.equal('x 6 two words');
  });

  it('FailsWithTheCodeOfItsError', async () => {
    const cases: [string, string][] = [
      [refused('ERR', `unknown command 'NO', with args beginning with: `), 'UNKNOWN_COMMAND'],
      [refused('ERR', `wrong number of arguments for 'get' command`), 'SYNTAX'],
      [refused('NOAUTH', 'Authentication required.'), 'NOAUTH'],
      [notPrimary('unknown is the primary'), 'NOT_PRIMARY'],
    ];
    for (const [answer, code] of cases) {
      const [kv] = await start(() => answer);
      const failure = await failureOf(kv.command(['NO']));
      expect([failure.code, failure.answered], answer).to.deep.equal([code, true]);
    }
  });

  it('KeepsAnErrorWithinAListInItsPlace', async () => {
    const [kv] = await start(() => list(OK, refused('BUSY', 'later')));
    expect(await kv.command(['x'])).to.deep.equal({
      kind: 'list',
      items: [
        { kind: 'ok', fields: '' },
        { kind: 'error', code: 'BUSY', message: 'later' },
      ],
    });
  });

  it('IsRefusedWhenItIsNoneOrIsAboutTheConnection', async () => {
    const [kv, remote] = await start(() => OK);
    expect((await failureOf(kv.command([]))).code).to.equal('SYNTAX');
    expect((await failureOf(kv.command(['']))).code).to.equal('SYNTAX');
    for (const name of ['HELLO', 'quit', 'Client']) {
      expect((await failureOf(kv.command([name, '3']))).code, name).to.equal('BAD_OPTION');
    }
    expect(remote.connections()).to.equal(0);
  });

  it('HasTheEffectThatTheTableOfCommandsSays', () => {
    for (const command of COMMANDS) {
      if (concernsTheConnection(command.name)) continue;
      expect(effectOf(command.name), command.name).to.equal(command.effect);
      expect(effectOf(command.name.toLowerCase())).to.equal(command.effect);
    }
    expect(effectOf('FLUSHALL')).to.equal('manages');
  });

  it('OfWhichNothingIsKnownLeavesItsOutcomeOpenWhenTheConnectionBreaks', async () => {
    const [kv] = await start((_line, socket) => {
      socket.destroy();
      return undefined;
    });
    expect((await failureOf(kv.command(['FROB']))).outcomeUnknown).to.equal(true);
  });
});
