import { once } from 'node:events';
import net from 'node:net';
import { expect } from 'chai';
import { Call } from '../../src/client/call.js';
import type { CallOutcome } from '../../src/client/call.js';
import { KvError } from '../../src/client/errors.js';
import * as requests from '../../src/client/requests.js';
import { ServerNode } from '../../src/client/server-node.js';
import type { NodeObserver } from '../../src/client/server-node.js';
import { systemClock } from '../../src/clock.js';

const TIMEOUT_MS = 5_000;

describe('A server of a client that nobody waits for', () => {
  const server = net.createServer((socket) => {
    socket.on('data', () => socket.write('+PONG\r\n')).on('error', () => undefined);
  });
  let node: ServerNode;

  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const settings = {
      ...{ clock: systemClock, random: () => 0.5, connectMsMax: TIMEOUT_MS, silenceMsMax: TIMEOUT_MS },
      ...{ connectionsMax: 2, backoff: { delayMinMs: 1, delayMaxMs: 1, growth: 2 }, waits: true },
    };
    const observer: NodeObserver = {
      lost: () => undefined,
      silent: () => undefined,
      ended: (_node, call, ending) => {
        const isReply = ending.kind === 'answered' && ending.reply.kind !== 'error';
        call.settle(isReply ? ending.reply : new KvError('CONNECTION_LOST', 'it is lost'));
      },
    };
    node = new ServerNode({ host: '127.0.0.1', port }, settings, observer);
  });

  after(() => {
    node.close();
    server.close();
  });

  function ask(): Promise<CallOutcome> {
    return new Promise((resolve) => {
      const call = new Call({
        ...{
          clock: systemClock,
          request: requests.bare('reads', 'PING'),
          sequence: 0,
          timeoutMs: TIMEOUT_MS,
        },
        ...{ onAbort: undefined, done: resolve, freed: () => undefined, timedOut: () => undefined },
      });
      node.take(call);
    });
  }

  it('IsAskedAllTheSame', async () => {
    node.setInUse(false);
    expect(await ask()).to.include({ kind: 'text' });
    expect(await ask()).to.include({ kind: 'text' });
  });
});
