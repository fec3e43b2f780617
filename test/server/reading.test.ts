import { once } from 'node:events';
import net from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { expect } from 'chai';
import { LendingSocket, SharedReading } from '../../src/server/reading.js';
import type { Read } from '../../src/server/reading.js';

const BYTES = 3_000_000;

describe('Reading into one buffer', () => {
  let server: net.Server;
  const shared = new SharedReading();
  const sockets: Socket[] = [];

  beforeEach(async () => {
    server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
  });

  /** A client, and the accepted socket as it is taken. */
  async function connect(spoil: (accepted: Socket) => void = () => undefined): Promise<[Socket, Read]> {
    const client = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [accepted] = (await once(server, 'connection')) as [Socket];
    spoil(accepted);
    const read = shared.take(accepted);
    sockets.push(client, read.socket);
    return [client, read];
  }

  async function chunkOf(client: Socket, { socket }: Read, text: string): Promise<Buffer> {
    client.write(text);
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    return chunk;
  }

  it('ChunksOfAllConnectionsLieInTheSameMemory', async () => {
    const [first, firstRead] = await connect();
    const [second, secondRead] = await connect();
    expect([firstRead.reading.isLending, secondRead.reading.isLending]).to.deep.equal([true, true]);
    const one = await chunkOf(first, firstRead, 'from the first');
    expect(one.toString()).to.equal('from the first');
    const other = await chunkOf(second, secondRead, 'of the second.');
    expect(other.buffer).to.equal(one.buffer);
    expect(one.toString()).to.equal('of the second.');
  });

  it('ShortChunksOfOneLengthAreOneObject', async () => {
    const [client, read] = await connect();
    const short = await chunkOf(client, read, 'k'.repeat(1024));
    expect(await chunkOf(client, read, 'v'.repeat(1024))).to.equal(short);
    expect((await chunkOf(client, read, 'other')).toString()).to.equal('other');
    expect(await chunkOf(client, read, 'k'.repeat(1024))).to.equal(short);
    const long = await chunkOf(client, read, 'k'.repeat(1025));
    expect(await chunkOf(client, read, 'k'.repeat(1025))).not.to.equal(long);
  });

  it('ChunkThatIsNotLentStaysAsItIs', async () => {
    const [first, firstRead] = await connect();
    const [second, secondRead] = await connect();
    firstRead.reading.lendNoMore();
    expect(firstRead.reading.isLending).to.equal(false);
    const one = await chunkOf(first, firstRead, 'from the first');
    await chunkOf(second, secondRead, 'of the second.');
    expect(one.toString()).to.equal('from the first');
  });

  it('ChunkIsLentAgainToWhoeverKeepsNothingOfIt', async () => {
    const [first, firstRead] = await connect();
    const [second, secondRead] = await connect();
    const { socket } = firstRead;
    firstRead.reading.lendNoMore();
    if (socket instanceof LendingSocket) socket.lendAgain();
    const one = await chunkOf(first, firstRead, 'from the first');
    const other = await chunkOf(second, secondRead, 'of the second.');
    expect(other.buffer).to.equal(one.buffer);
  });

  it('SocketWhoseHandleIsNotAsExpectedReadsAsAlways', async () => {
    const [client, read] = await connect((accepted) => {
      const { _handle } = accepted as unknown as { _handle: object };
      Object.defineProperty(_handle, 'useUserBuffer', { value: undefined });
    });
    expect(read.reading.isLending).to.equal(false);
    expect((await chunkOf(client, read, 'hello')).toString()).to.equal('hello');
  });

  it('PausedSocketReadsNothingAndThenAllOfIt', async () => {
    const [client, { socket }] = await connect();
    let length = 0;
    socket.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length < BYTES && length % 3 === 0) {
        socket.pause();
        const paused = length;
        setImmediate(() => {
          expect(length).to.equal(paused);
          socket.resume();
        });
      }
    });
    client.end(Buffer.alloc(BYTES, 'x'));
    await once(socket, 'end');
    expect(length).to.equal(BYTES);
  });

  it('HalfThatIsEndedCanStillBeAnswered', async () => {
    const [client, { socket }] = await connect();
    client.end('question');
    await once(socket, 'end');
    socket.end('answer');
    const [chunk] = (await once(client, 'data')) as [Buffer];
    expect(chunk.toString()).to.equal('answer');
  });

  it('ClientThatResetsIsNoticed', async () => {
    const [client, { socket }] = await connect();
    socket.on('error', () => undefined);
    client.resetAndDestroy();
    await new Promise((resolve) => socket.once('close', resolve));
    expect(socket.destroyed).to.equal(true);
  });
});
