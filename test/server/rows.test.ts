import { expect } from 'chai';
import { BATCH_KEYS_MAX } from '../../src/engine.js';
import { DEFAULT_SERVER_LIMITS } from '../../src/server/limits.js';
import { freePort } from '../free-port.js';
import { encodeArray } from '../protocol/reading.js';
import { talk } from './conversation.js';
import { serverFixture } from './running-server.js';

const OK = '+OK\r\n';

function sets(count: number, value: (at: number) => string = String): string {
  return Array.from({ length: count }, (_, at) => encodeArray('SET', `k${String(at)}`, value(at))).join('');
}

describe('Puts that come together', () => {
  const fixture = serverFixture();

  for (const count of [1, 2, BATCH_KEYS_MAX, BATCH_KEYS_MAX + 1, 5 * BATCH_KEYS_MAX]) {
    it(`AreAllDoneAndAnswered: ${String(count)}`, async () => {
      const { address } = await fixture.start();
      const last = `k${String(count - 1)}`;
      const sent = sets(count) + encodeArray('DBSIZE') + encodeArray('GET', last);
      const value = String(count - 1);
      expect(await talk(address, sent)).to.equal(
        `${OK.repeat(count)}:${String(count)}\r\n$${String(value.length)}\r\n${value}\r\n`,
      );
    });
  }

  it('FillSeveralBatchesWhereTheirValuesAreLarge', async () => {
    const { address } = await fixture.start();
    const values = (at: number): string => String(at % 10).repeat(20_000);
    expect(await talk(address, sets(100, values) + encodeArray('GET', 'k57'))).to.equal(
      `${OK.repeat(100)}$20000\r\n${values(57)}\r\n`,
    );
  });

  it('DoNotTakeTheSessionOfTheFirstOfThem', async () => {
    const { address } = await fixture.start();
    const id = (await talk(address, 'SESSION\n')).trim();
    const named = encodeArray('SESSION', id, '1', '1');
    expect(await talk(address, named + sets(3))).to.equal(OK.repeat(4));
    // The first was of the session, and is not done again; the others were not.
    expect(
      await talk(address, named + sets(3, () => 'new') + encodeArray('MGET', 'k0', 'k1', 'k2')),
    ).to.equal(`${OK.repeat(4)}*3\r\n$1\r\n0\r\n$3\r\nnew\r\n$3\r\nnew\r\n`);
  });

  it('AreEachRefusedWhereNoneIsTaken', async () => {
    const primary = { host: '127.0.0.1', port: await freePort() };
    const { address } = await fixture.start({ role: 'backup', primary });
    const answers = (await talk(address, sets(150) + encodeArray('PING'))).split('\r\n');
    expect(answers).to.have.length(152);
    for (const answer of answers.slice(0, 150))
      expect(answer).to.match(/^-(NOT_MEMBER|NOT_PRIMARY|READONLY)/);
    expect(answers.slice(150)).to.deep.equal(['+PONG', '']);
  });

  it('AreTakenAsFarAsTheBoundOfTheDataGoes', async () => {
    const { address } = await fixture.start({ dataBytesMax: 1000 });
    const value = 'v'.repeat(100);
    const answers = (
      await talk(
        address,
        sets(40, () => value),
      )
    )
      .split('\r\n')
      .slice(0, -1);
    expect(answers.slice(0, 9)).to.deep.equal(Array.from({ length: 9 }, () => '+OK'));
    expect(answers.slice(9)).to.have.length(31);
    for (const answer of answers.slice(9)) expect(answer).to.match(/^-MEMORY_FULL /);
  });

  it('AreAnsweredInTheirOrderWithFewOfThemPendingAtOnce', async () => {
    for (const pendingRequestsMax of [1, 2, 7, BATCH_KEYS_MAX + 1]) {
      const node = await fixture.start({
        limits: { ...DEFAULT_SERVER_LIMITS, pendingRequestsMax },
        fsync: 'off',
      });
      const round = sets(100) + encodeArray('GET', 'k99') + encodeArray('DEL', 'k1', 'k2');
      expect(await talk(node.address, round.repeat(10))).to.equal(
        `${OK.repeat(100)}$2\r\n99\r\n:2\r\n`.repeat(10),
      );
      await node.stop();
    }
  });
});
