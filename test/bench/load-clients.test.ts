import { expect } from 'chai';
import { once } from 'node:events';
import net from 'node:net';
import type { LoadPlan } from '../../bench/load/conversation.js';
import { LoadClients, fillBy } from '../../bench/load/load-clients.js';

const SET = /\*3\r\n\$3\r\nSET\r\n\$16\r\n(key:\d{12})\r\n\$8\r\n.{8}\r\n/g;

describe('The clients of a load', () => {
  let server: net.Server;
  let plan: LoadPlan;
  /** Every key that was set, as often as it was. */
  let keys: string[];
  let answer: string;
  let onKeys: () => void;

  beforeEach(async () => {
    [keys, answer, onKeys] = [[], '+OK\r\n', () => undefined];
    server = net.createServer((socket) => {
      socket.on('data', (chunk) => {
        const asked = [...chunk.toString('latin1').matchAll(SET)].map(([, key]) => key ?? '');
        keys.push(...asked);
        socket.write(answer.repeat(asked.length));
        onKeys();
      });
      // Clients are killed when they are stopped.
      socket.on('error', () => socket.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    plan = {
      host: '127.0.0.1',
      port,
      protocol: 'resp',
      clients: 5,
      pipeline: 2,
      readsPercent: 0,
      keys: 40,
      valueBytes: 8,
    };
  });

  afterEach(() => {
    server.close();
  });

  /** Resolves when so many keys were set from now on. */
  function set(count: number): Promise<void> {
    const upTo = keys.length + count;
    return new Promise((resolve) => {
      onKeys = () => {
        if (keys.length >= upTo) resolve();
      };
    });
  }

  it('AskOnceEachAndThenRestUntilSomebodyMeasures', async () => {
    const clients = await LoadClients.start(plan, 2);
    expect(keys).to.have.length(plan.clients * plan.pipeline);
    const report = await clients.during(() => set(1000));
    await clients.stop();
    // What was asked is what was counted, and what was under way at the end.
    const asked = keys.length - plan.clients * plan.pipeline;
    expect(report.requests).to.be.within(asked - 2 * plan.clients * plan.pipeline, asked);
    expect(report.requestsPerSecond).to.be.greaterThan(0);
    expect(report.p50Ms).to.be.within(0.001, report.p999Ms);
  });

  it('SetEveryKeyWhereThatIsAsked', async () => {
    await fillBy({ ...plan, keys: 300 });
    expect(new Set(keys).size).to.equal(300);
  });

  it('EndTheMeasurementWhenTheServerRefusesSomething', async () => {
    const clients = await LoadClients.start(plan);
    answer = '-ERR no\r\n';
    const failure = await clients
      .during(() => new Promise<never>(() => undefined))
      .catch((error: unknown) => String(error));
    await clients.stop();
    expect(failure).to.contain('gave up');
  });
});
