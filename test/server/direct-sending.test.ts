import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { expect } from 'chai';
import { DirectSending, findWriteParts } from '../../src/server/direct-sending.js';
import { until } from '../node/engine-fixture.js';

const BYTES_MAX = 16 * 1024;

describe('Sending below a socket', () => {
  let server: net.Server;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    server = net.createServer({ allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
  });

  /** A client that reads nothing yet, and the socket that was accepted. */
  async function connect(): Promise<[client: Socket, accepted: Socket]> {
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [accepted] = (await once(server, 'connection')) as [Socket];
    accepted.on('error', () => undefined);
    sockets.push(client, accepted);
    return [client, accepted];
  }

  /** What the client receives until this many bytes are there. */
  async function received(client: Socket, byteCount: number): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let length = 0;
    client.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
    });
    await until(() => length >= byteCount);
    return Buffer.concat(chunks);
  }

  /** Sends until the kernel takes no more; answers all that was sent. */
  function fill(direct: DirectSending): Buffer {
    const sent: Buffer[] = [];
    while (direct.waitingBytes === 0) {
      const bytes = Buffer.alloc(BYTES_MAX, sent.length);
      if (!direct.send(bytes)) throw new Error('nothing was sent');
      sent.push(bytes);
    }
    return Buffer.concat(sent);
  }

  const never = (): void => {
    throw new Error('the kernel took everything at once');
  };

  it('SendsWhatTheKernelTakesAtOnceSoThatItsMemoryCanBeUsedAgain', async () => {
    const [client, accepted] = await connect();
    const direct = new DirectSending(accepted, never);
    const bytes = Buffer.alloc(5);
    for (const text of ['first', 'other', 'third']) {
      bytes.write(text);
      expect(direct.send(bytes)).to.equal(true);
      expect(direct.waitingBytes).to.equal(0);
    }
    expect((await received(client, 15)).toString()).to.equal('firstotherthird');
  });

  it('LeavesMoreThan16KiBToTheSocket', async () => {
    const [, accepted] = await connect();
    const direct = new DirectSending(accepted, never);
    expect(direct.send(Buffer.alloc(BYTES_MAX))).to.equal(true);
    expect(direct.send(Buffer.alloc(BYTES_MAX + 1))).to.equal(false);
  });

  it('KeepsWhatTheKernelDoesNotTakeAndTellsWhenItDid', async () => {
    const [client, accepted] = await connect();
    let told = 0;
    const direct = new DirectSending(accepted, () => told++);
    const sent = fill(direct);
    expect(direct.waitingBytes).to.equal(BYTES_MAX);
    expect(direct.send(Buffer.from('more')), 'one at a time').to.equal(false);
    expect(told).to.equal(0);
    expect(await received(client, sent.length)).to.deep.equal(sent);
    await until(() => told === 1);
    expect(direct.waitingBytes).to.equal(0);
    expect(direct.send(Buffer.from('more'))).to.equal(true);
  });

  it('StaysInOrderWithWhatTheSocketSends', async () => {
    const [client, accepted] = await connect();
    let isTold = false;
    const direct = new DirectSending(accepted, () => (isTold = true));
    const sent = fill(direct);
    accepted.write('behind it');
    expect(direct.send(Buffer.from('later')), 'the socket has something').to.equal(false);
    expect(await received(client, sent.length + 9)).to.deep.equal(
      Buffer.concat([sent, Buffer.from('behind it')]),
    );
    await until(() => isTold && accepted.writableLength === 0);
    expect(direct.send(Buffer.from('later'))).to.equal(true);
    await once(client, 'data');
  });

  it('IsFollowedByTheEndOfTheSocket', async () => {
    const [client, accepted] = await connect();
    const direct = new DirectSending(accepted, () => undefined);
    const sent = fill(direct);
    accepted.end();
    const ended = once(client, 'end');
    expect(await received(client, sent.length)).to.deep.equal(sent);
    await ended;
  });

  it('LeavesASocketAloneThatHasATimeoutOrIsEnded', async () => {
    const [, timed] = await connect();
    timed.setTimeout(30_000);
    expect(new DirectSending(timed, never).send(Buffer.from('x'))).to.equal(false);
    timed.setTimeout(0);
    expect(new DirectSending(timed, never).send(Buffer.from('x'))).to.equal(true);
    const [, ended] = await connect();
    ended.end();
    expect(new DirectSending(ended, never).send(Buffer.from('x'))).to.equal(false);
    ended.destroy();
    expect(new DirectSending(ended, never).send(Buffer.from('x'))).to.equal(false);
  });

  it('EndsWithTheSocketWhatWaitsUntold', async () => {
    const [, accepted] = await connect();
    const direct = new DirectSending(accepted, never);
    fill(direct);
    accepted.destroy();
    await until(() => direct.waitingBytes === 0);
    expect(accepted.destroyed).to.equal(true);
  });

  it('LetsGoOfAClientThatIsGone', async () => {
    const [client, accepted] = await connect();
    const direct = new DirectSending(accepted, never);
    fill(direct);
    client.resetAndDestroy();
    await until(() => direct.waitingBytes === 0);
    expect(accepted.destroyed).to.equal(true);
    expect(direct.send(Buffer.from('x'))).to.equal(false);
  });

  it('LeavesEverythingToTheSocketWhereItsHandleIsNotAsExpected', async () => {
    const [, accepted] = await connect();
    const { _handle } = accepted as unknown as { _handle: object };
    Object.defineProperty(_handle, 'writeBuffer', { value: undefined });
    expect(new DirectSending(accepted, never).send(Buffer.from('x'))).to.equal(false);
  });
});

describe('What is needed to send below a socket', () => {
  const whole = { WriteWrap: Object, streamBaseState: new Int32Array(5), kLastWriteWasAsync: 3 };

  it('IsTakenWhereAllOfItIsThere', () => {
    expect(findWriteParts(() => whole)).to.deep.equal(whole);
  });

  it('IsNotUsedWhereAPartOfItIsMissingOrKept', () => {
    for (const name of Object.keys(whole)) {
      expect(
        findWriteParts(() => ({ ...whole, [name]: undefined })),
        name,
      ).to.equal(undefined);
    }
    expect(findWriteParts(undefined)).to.equal(undefined);
    const refuse = (): never => {
      throw new Error('access denied');
    };
    expect(findWriteParts(refuse)).to.equal(undefined);
  });
});
