import { expect } from 'chai';
import net from 'node:net';
import type { Socket } from 'node:net';
import { eventually } from './cluster.js';
import { WAITING_BYTES_MAX } from './lane.js';
import { LinkProxy } from './link-proxy.js';

/** An end that keeps what it is sent, and says when it was. */
class End {
  readonly chunks: { readonly bytes: Buffer; readonly atMs: number }[] = [];
  hasEnded = false;
  error: string | undefined;

  constructor(readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => this.chunks.push({ bytes, atMs: performance.now() }));
    socket.on('end', () => (this.hasEnded = true));
    socket.on('error', (error) => (this.error = 'code' in error ? String(error.code) : error.message));
  }

  get text(): string {
    return Buffer.concat(this.chunks.map(({ bytes }) => bytes)).toString('latin1');
  }
}

describe('The proxy between nodes', () => {
  let proxy: LinkProxy;
  let server: net.Server;
  let accepted: End[] = [];
  let addresses: Record<'a' | 'b', string>;
  let opened: Socket[] = [];

  beforeEach(async () => {
    [accepted, opened] = [[], []];
    proxy = new LinkProxy();
    server = net.createServer({ allowHalfOpen: true }, (socket) => accepted.push(new End(socket)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const target = `127.0.0.1:${String((server.address() as net.AddressInfo).port)}`;
    addresses = { a: await proxy.listen('a', target), b: await proxy.listen('b', target) };
  });

  afterEach(() => {
    proxy.close();
    server.close();
    for (const { socket } of accepted) socket.destroy();
    for (const socket of opened) socket.destroy();
  });

  function dial(address: string): End {
    const at = address.lastIndexOf(':');
    const socket = net.connect({
      port: Number(address.slice(at + 1)),
      host: address.slice(0, at),
      allowHalfOpen: true,
    });
    opened.push(socket);
    return new End(socket);
  }

  const FIRST = 'REPLICATE version=3 nonce=1 auth=none\n';
  const proof = (): string => `PROVE node=x address=${addresses.a} to=any\n`;
  const hello = (): string => `${FIRST}${proof()}`;

  /** The other end of a connection on which the first line was said, and answered. */
  async function greeted(a: End): Promise<End> {
    const before = accepted.length;
    a.socket.write(FIRST);
    const b = await eventually(
      'b hears a',
      () => accepted[before],
      (end) => end?.text === FIRST,
    );
    b!.socket.write('HELLO\n');
    await arrives(a, 'HELLO\n');
    return b!;
  }

  /** A connection that a opened to b, up to the end of the handshake. */
  async function linked(): Promise<[a: End, b: End]> {
    const a = dial(addresses.b);
    const b = await greeted(a);
    a.socket.write(proof());
    await arrives(b, proof());
    b.socket.write('OK\n');
    await arrives(a, 'OK\n');
    return [a, b];
  }

  const arrives = (end: End, text: string): Promise<unknown> =>
    eventually(
      `${text} arrives`,
      () => end.text,
      (all) => all.includes(text),
    );

  /** What was sent before this on a way that is free has arrived by then: one round trip of another connection. */
  async function aRoundTrip(): Promise<void> {
    const client = dial(addresses.b);
    client.socket.write('PING\n');
    const there = await eventually(
      'it',
      () => accepted.find(({ text }) => text === 'PING\n'),
      (end) => end !== undefined,
    );
    there!.socket.end('PONG\n');
    await arrives(client, 'PONG\n');
    client.socket.destroy();
    there!.socket.destroy();
    accepted = accepted.filter((end) => end !== there);
  }

  it('PassesEverythingOnBothWaysAndTheEnds', async () => {
    const [a, b] = await linked();
    const large = 'x'.repeat(3 * WAITING_BYTES_MAX);
    a.socket.end(large);
    await eventually('all of it', () => b.hasEnded, Boolean);
    expect(b.text).to.equal(hello() + large);
    b.socket.end('back');
    await eventually('the end of b', () => a.hasEnded, Boolean);
    expect(a.text).to.equal('HELLO\nOK\nback');
    await eventually(
      'nothing is left',
      () => proxy.connections('a', 'b'),
      (count) => count === 0,
    );
  });

  it('HoldsOneWayWhileThatIsCutAndDeliversAfterwards', async () => {
    const [a, b] = await linked();
    proxy.impair('a', 'b', { flow: 'held' });
    a.socket.write('there');
    b.socket.write('back');
    await arrives(a, 'back');
    await aRoundTrip();
    expect(b.text).to.equal(hello());
    proxy.heal();
    await arrives(b, 'there');
  });

  it('TakesNoMoreThanItsBoundWhileAWayIsCut', async () => {
    const [a] = await linked();
    proxy.cut('a', 'b');
    a.socket.write(Buffer.alloc(16 * WAITING_BYTES_MAX));
    await aRoundTrip();
    expect(proxy.waitingBytes).to.be.at.most(2 * WAITING_BYTES_MAX);
    expect(a.socket.writableLength).to.be.above(0);
  });

  it('SwallowsWithoutTheSenderNoticingAndBreaksWhatHasAGapAfterwards', async () => {
    const [a, b] = await linked();
    proxy.impair('a', 'b', { flow: 'swallowed' });
    await new Promise<void>((resolve) =>
      a.socket.write(Buffer.alloc(4 * WAITING_BYTES_MAX), () => resolve()),
    );
    b.socket.write('back');
    await arrives(a, 'back');
    proxy.heal();
    await eventually(
      'both are told',
      () => [a.error, b.error],
      (errors) => errors.every((code) => code === 'ECONNRESET'),
    );
    expect(b.text).to.equal(hello());
    expect(proxy.connections('a', 'b')).to.equal(0);
  });

  it('LetsNoHandshakeThroughWhileAWayIsCutAndBreaksItAfterwards', async () => {
    proxy.impair('b', 'a', { flow: 'swallowed' });
    const [patient, impatient] = [dial(addresses.b), dial(addresses.b)];
    for (const end of [patient, impatient]) {
      await greeted(end);
      end.socket.write(proof());
    }
    await eventually(
      'both wait',
      () => proxy.connections('a', 'b'),
      (count) => count === 2,
    );
    impatient.socket.end();
    await eventually(
      'one gave up',
      () => proxy.connections('a', 'b'),
      (count) => count === 1,
    );
    await aRoundTrip();
    expect(accepted.map(({ text }) => text)).to.deep.equal([FIRST, FIRST]);
    expect(patient.hasEnded).to.equal(false);
    proxy.heal();
    await eventually(
      'it is told',
      () => patient.error,
      (code) => code === 'ECONNRESET',
    );
    await linked();
  });

  it('HidesTheEndOfAConnectionWhileItsWayIsCut', async () => {
    const [a, b] = await linked();
    proxy.cut('a', 'b', 'swallowed');
    a.socket.destroy();
    await aRoundTrip();
    expect(b.hasEnded).to.equal(false);
    expect(b.error).to.equal(undefined);
    proxy.heal();
    await eventually('it is over', () => b.hasEnded || b.error !== undefined, Boolean);
  });

  it('DelaysOneWay', async () => {
    const [a, b] = await linked();
    proxy.impair('a', 'b', { delayMs: 200 });
    const startMs = performance.now();
    a.socket.write('late');
    b.socket.write('soon');
    await arrives(a, 'soon');
    await arrives(b, 'late');
    expect(a.chunks.at(-1)!.atMs).to.be.below(b.chunks.at(-1)!.atMs);
    expect(b.chunks.at(-1)!.atMs - startMs).to.be.at.least(190);
  });

  it('CutsIntoPiecesAndKeepsTheOrder', async () => {
    const [a, b] = await linked();
    proxy.impair('a', 'b', { pieceBytesMax: 7 });
    const text = Array.from({ length: 500 }, (_, at) => String(at)).join(' ');
    a.socket.end(text);
    await eventually('all of it', () => b.hasEnded, Boolean);
    expect(b.text).to.equal(hello() + text);
    expect(b.chunks.length).to.be.above(10);
  });

  it('ResetsBothSidesAndLetsThemConnectAgain', async () => {
    const [a, b] = await linked();
    expect(proxy.reset('b', 'a')).to.equal(1);
    await eventually(
      'both are told',
      () => [a.error, b.error],
      (errors) => errors.every((code) => code === 'ECONNRESET'),
    );
    await linked();
  });

  it('RefusesNewConnectionsAndLeavesThoseThereAre', async () => {
    const [a, b] = await linked();
    proxy.refuse('b', 'a');
    const refused = dial(addresses.b);
    await greeted(refused);
    refused.socket.write(proof());
    await eventually('it is over', () => refused.hasEnded || refused.error !== undefined, Boolean);
    a.socket.write('still');
    await arrives(b, 'still');
    proxy.heal();
    await linked();
  });

  it('LetsClientsThroughWhateverIsCut', async () => {
    proxy.cut('a', 'b');
    await aRoundTrip();
  });
});
