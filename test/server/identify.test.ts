import { expect } from 'chai';
import type net from 'node:net';
import type { Refusal } from '../../src/engine.js';
import { LIMITS, linkFixture, nodeId } from './linked-node.js';
import { SECRET } from './hand-shake.js';

const HANDSHAKE_MS = 300;
const LIMITS_SOON = { ...LIMITS, handshakeMs: HANDSHAKE_MS };
const B = nodeId('b');

describe('Asking who is at an address', () => {
  const fixture = linkFixture();

  async function stranger(greet: (socket: net.Socket) => void): Promise<string> {
    return (await fixture.listener(greet)).address;
  }

  const strangers: readonly (readonly [string, () => Promise<string> | string, RegExp])[] = [
    ['NobodyListens', () => '127.0.0.1:1', /nothing listens at/],
    ['TheNameIsNobodys', () => 'no-such-host.invalid:7001', /cannot be resolved/],
    ['ThereIsAnSshServer', () => stranger((socket) => socket.write('SSH-2.0-x\r\n')), /an SSH server/],
    [
      'ThereIsARedisServer',
      () => stranger((socket) => socket.write("-ERR unknown command 'REPLICATE'\r\n")),
      /something like a Redis server/,
    ],
    ['NothingIsSaid', () => stranger(() => undefined), /did not answer/],
    ['ItHangsUp', () => stranger((socket) => socket.destroy()), /closed the connection/],
    [
      'ItSaysThatItIsANode',
      () => stranger((socket) => socket.write('ERROR WRONG_CLUSTER believe me\n')),
      /believe me/,
    ],
    [
      'TheNodeHasAnotherSecret',
      async () => (await fixture.node({ id: B, secret: `${SECRET}!` })).address,
      /has another secret/,
    ],
    ['TheNodeHasNone', async () => (await fixture.node({ id: B })).address, /has no secret/],
  ];
  for (const [name, addressOf, detail] of strangers) {
    it(`IsAnsweredAlikeAndAfterTheSameTime: ${name}`, async () => {
      const a = await fixture.node({ secret: SECRET, limits: LIMITS_SOON });
      const address = await addressOf();
      const startMs = performance.now();
      const found = (await a.links.identify(address)) as Refusal;
      const tookMs = performance.now() - startMs;
      expect(found.code).to.equal('UNREACHABLE');
      expect(found.message).to.equal(
        `no node with the secret of this cluster answers at ${address} within 0.3 s: check the address, ` +
          'that it runs, and that both have the same --cluster-secret-file. The logs of both say more',
      );
      expect(tookMs).to.be.within(HANDSHAKE_MS - 2, HANDSHAKE_MS + 500);
      expect(a.logged).to.have.length(1);
      expect(a.logged[0])
        .to.match(/^there is no node to be added: /)
        .and.match(detail);
    });
  }

  it('IsAnsweredWithoutASecretBySayingWhereOneIsNeeded', async () => {
    const a = await fixture.node({ limits: LIMITS_SOON });
    const found = (await a.links.identify('127.0.0.1:1')) as Refusal;
    expect(found.code).to.equal('UNREACHABLE');
    expect(found.message).to.match(/^no node without a secret answers .*one --cluster-secret-file/);
  });

  it('IsNotDoneOnAnotherMachineWithoutASecret', async () => {
    const a = await fixture.node({ limits: { ...LIMITS, handshakeMs: 60_000 } });
    for (const address of ['192.0.2.77:7001', '[2001:db8::1]:7001', '[::ffff:10.0.0.1]:7001']) {
      const found = (await a.links.identify(address)) as Refusal;
      expect(found.code, address).to.equal('NOT_A_PEER');
      expect(found.message).to.match(/on this machine only.*--cluster-secret-file/);
      a.links.reach([{ node: B, address }]);
      await a.until(() => a.refusals.some(({ message }) => message.includes(address)));
    }
  });

  it('IsDoneForAsManyAddressesAtOnceAsTheBound', async () => {
    const a = await fixture.node({ secret: SECRET, limits: { ...LIMITS_SOON, identifyingMax: 2 } });
    const b = await fixture.node({ id: B, secret: SECRET });
    const asked = [a.links.identify('127.0.0.1:1'), a.links.identify('127.0.0.1:1')];
    expect(await a.links.identify(b.address)).to.have.property('code', 'BUSY');
    for (const found of await Promise.all(asked)) expect(found).to.have.property('code', 'UNREACHABLE');
    expect(await a.links.identify(b.address)).to.deep.equal(b.identity());
    expect(await b.links.identify(a.address)).to.deep.equal(a.identity());
  });
});
