import { expect } from 'chai';
import { once } from 'node:events';
import net from 'node:net';
import { BulkClient } from '../../bench/bulk-client.js';

describe('BulkClient', () => {
  let server: net.Server;
  let client: BulkClient;
  let socket: net.Socket;

  beforeEach(async () => {
    server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const connected = once(server, 'connection');
    client = await BulkClient.connect({
      host: '127.0.0.1',
      port: (server.address() as net.AddressInfo).port,
    });
    [socket] = (await connected) as [net.Socket];
    socket.resume();
  });

  afterEach(() => {
    client.close();
    socket.destroy();
    server.close();
  });

  function failure(work: Promise<void>): Promise<unknown> {
    return work.then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : error),
    );
  }

  it('CountsLinesHoweverTheyAreCut', async () => {
    await client.send(Buffer.from('two requests'), 3);
    const answered = client.answered();
    for (const piece of ['+O', 'K\r', '\n$5\r\nwi-th', '\r', '\n']) socket.write(piece);
    await answered;
  });

  it('TakesAnErrorForTheEndAlsoWhereItBeginsInAPieceOfItsOwn', async () => {
    await client.send(Buffer.from('requests'), 2);
    const answered = failure(client.answered());
    socket.write('+OK\r\n');
    socket.write('-READONLY not here\r\n');
    const told = 'the server answered -READONLY not here\r\n';
    expect(await answered).to.equal(told);
    expect(await failure(client.send(Buffer.from('request'), 1))).to.equal(told);
  });

  it('SaysThatTheServerIsGone', async () => {
    await client.send(Buffer.from('request'), 1);
    const answered = failure(client.answered());
    socket.end();
    expect(await answered).to.equal('the server closed the connection');
  });

  it('WaitsWhileMuchIsUnansweredAndLetsOneLargeRequestPass', async () => {
    await client.send(Buffer.alloc(5 * 1024 * 1024), 1);
    expect(client.isBusy).to.equal(true);
    let isSent = false;
    const sent = client.send(Buffer.from('next'), 1).then(() => (isSent = true));
    await new Promise(setImmediate);
    expect(isSent).to.equal(false);
    socket.write('+OK\r\n');
    await sent;
    expect(client.isBusy).to.equal(false);
  });
});
