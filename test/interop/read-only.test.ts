import { expect } from 'chai';
import { clusters, inTime, promote } from '../faults/cluster.js';
import { Forwarder } from './forwarder.js';
import { REDIS_CLIENTS } from './redis-clients.js';
import type { Session } from './redis-clients.js';

describe('Clients of Redis at a backup', () => {
  let sessions: Session[] = [];
  let forwarder: Forwarder | undefined;

  afterEach(() => {
    for (const session of sessions) session.abandon();
    forwarder?.close();
    sessions = [];
    forwarder = undefined;
  });
  const made = clusters();

  it('ReadWhatItHasAndAreToldReadonlyOfWritesWithThePrimarysAddress', async () => {
    const [primary, backup] = await made.of(2);
    await primary!.talk('PUT mykey myvalue\n');
    await backup!.untilCaughtUpWith(primary!);
    for (const client of REDIS_CLIENTS) {
      const session = await inTime(`${client.name} connects`, client.open(backup!.address));
      sessions.push(session);
      expect(await session.get('mykey'), client.name).to.equal('myvalue');
      expect(await session.info(), client.name).to.match(/^role:slave\r$/m);
      for (const write of [
        () => session.set('mykey', 'other'),
        () => session.del(['mykey']),
        () => session.mset({ mykey: 'other' }),
      ]) {
        const refused = await write().then(
          (answer) => `answered ${String(answer)}`,
          (error: unknown) => (error instanceof Error ? error.message : 'no error'),
        );
        expect(refused, client.name).to.match(new RegExp(`^READONLY ${primary!.address} `));
      }
      expect(await session.get('mykey'), client.name).to.equal('myvalue');
      expect(session.errors, client.name).to.deep.equal([]);
    }
  });

  it('ConnectAgainOnReadonlyAndReachTheNewPrimaryWithTheSameWrite', async () => {
    const [first, second] = await made.of(2);
    forwarder = await Forwarder.open(first!.address);
    const { address } = forwarder;
    const able = REDIS_CLIENTS.filter(({ name }) => name.startsWith('ioredis'));
    sessions = await Promise.all(
      able.map((client) => client.open(address, { connectsAgainWhenReadOnly: true })),
    );
    for (const session of sessions) expect(await session.set('before', 'v')).to.equal('OK');
    await promote(second!);
    // The connections still lead to what is a backup now; new ones to the new primary.
    forwarder.target = second!.address;
    for (const [at, session] of sessions.entries()) {
      expect(await inTime('the write', session.set('after', String(at)))).to.equal('OK');
      expect(await session.mget(['before', 'after'])).to.deep.equal(['v', String(at)]);
    }
  });
});
