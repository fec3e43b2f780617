import { once } from 'node:events';
import net from 'node:net';
import { expect } from 'chai';
import { Call } from '../../src/client/call.js';
import type { CallOutcome, CallRequest } from '../../src/client/call.js';
import { KvError } from '../../src/client/errors.js';
import * as requests from '../../src/client/requests.js';
import { ServerNode } from '../../src/client/server-node.js';
import type { NodeObserver } from '../../src/client/server-node.js';
import { systemClock } from '../../src/clock.js';
import type { Cancel, Clock } from '../../src/clock.js';
import { freePort } from '../free-port.js';
import { ManualClock } from './manual-clock.js';
import { OK } from './resp-answers.js';
import { startScriptedServer } from './scripted-server.js';
import type { ScriptedServer } from './scripted-server.js';

const TIMEOUT_MS = 5_000;

function nodeAt(port: number, clock: Clock, delayMs: number): ServerNode {
  const settings = {
    ...{ clock, random: () => 1, connectMsMax: TIMEOUT_MS, silenceMsMax: TIMEOUT_MS },
    ...{ connectionsMax: 2, backoff: { delayMinMs: delayMs, delayMaxMs: delayMs }, waits: true },
  };
  const observer: NodeObserver = {
    lost: () => undefined,
    silent: () => undefined,
    ended: (_node, call, ending) => {
      const isReply = ending.kind === 'answered' && ending.reply.kind !== 'error';
      call.settle(isReply ? ending.reply : new KvError('CONNECTION_LOST', 'it is lost'));
    },
  };
  return new ServerNode({ host: '127.0.0.1', port }, settings, observer);
}

/** Has the node take it at once, and resolves with what comes of it. */
function callOf(node: ServerNode, clock: Clock, request: CallRequest): Promise<CallOutcome> {
  return new Promise((resolve) => {
    const call = new Call({
      ...{ clock, request, sequence: 0, timeoutMs: TIMEOUT_MS },
      ...{ onAbort: undefined, done: resolve, freed: () => undefined, timedOut: () => undefined },
    });
    node.take(call);
  });
}

describe('A server of a client that nobody waits for', () => {
  const server = net.createServer((socket) => {
    socket.on('data', () => socket.write('+PONG\r\n')).on('error', () => undefined);
  });
  let node: ServerNode;

  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    node = nodeAt(port, systemClock, 1);
  });

  after(() => {
    node.close();
    server.close();
  });

  function ask(): Promise<CallOutcome> {
    return callOf(node, systemClock, requests.bare('reads', 'PING'));
  }

  it('IsAskedAllTheSame', async () => {
    node.setInUse(false);
    expect(await ask()).to.include({ kind: 'text' });
    expect(await ask()).to.include({ kind: 'text' });
  });
});

const DELAY_MS = 10;
/** More often nobody looks at the clock while three calls are taken. */
const LOOKS_MAX = 12;

/** Its alarms ring a millisecond early, as timers may, and it moves on by one while it is looked at. */
class EarlyClock extends ManualClock {
  #looksLeft = Infinity;

  /** After so many looks. */
  moveAfter(looks: number): void {
    this.#looksLeft = looks;
  }

  override nowMs(): number {
    return super.nowMs() + (this.#looksLeft-- > 0 ? 0 : 1);
  }

  override after(delayMs: number, work: () => void): Cancel {
    return super.after(Math.max(0, delayMs - 1), work);
  }
}

describe('Writes that wait for a server', () => {
  let server: ScriptedServer | undefined;
  let node: ServerNode | undefined;

  afterEach(async () => {
    node?.close();
    await server?.close();
  });

  /** The node could not be reached, and two writes wait for the end of the delay, while the server is started. */
  async function waiting(clock: Clock): Promise<[ServerNode, ScriptedServer, Promise<CallOutcome>[]]> {
    const port = await freePort();
    const [made, write] = [nodeAt(port, clock, DELAY_MS), requests.put('a', '0')];
    node = made;
    expect(await callOf(made, clock, write)).to.include({ code: 'CONNECTION_LOST' });
    const writes = ['1', '2'].map((value) => callOf(made, clock, requests.put('a', value)));
    server = await startScriptedServer(() => OK, port);
    return [made, server, writes];
  }

  it('KeepTheirOrderWheneverTheTimeComesWhileATimerThatRingsEarlyIsHeard', async () => {
    for (let looks = 0; looks <= LOOKS_MAX; looks++) {
      const clock = new EarlyClock();
      const [made, remote, writes] = await waiting(clock);
      clock.moveAfter(looks);
      clock.advance(DELAY_MS - 1);
      clock.advance(1);
      await Promise.all(writes);
      expect(remote.lines, `after ${String(looks)} looks`).to.deep.equal(['PUT a 1', 'PUT a 2']);
      made.close();
      await remote.close();
    }
  });

  it('KeepTheirOrderWhenAnotherOneComesBeforeTheTimerRingsThatIsLate', async () => {
    let late = 0;
    const clock = new ManualClock();
    const lateClock: Clock = {
      nowMs: () => clock.nowMs() + late,
      after: (delayMs, work) => clock.after(delayMs, work),
      every: (periodMs, work) => clock.every(periodMs, work),
      nextTurn: (work) => clock.nextTurn(work),
    };
    const [made, remote, writes] = await waiting(lateClock);
    late = DELAY_MS;
    writes.push(callOf(made, lateClock, requests.put('a', '3')));
    await remote.until(() => remote.lines.length > 0);
    clock.advance(DELAY_MS);
    await Promise.all(writes);
    expect(remote.lines).to.deep.equal(['PUT a 1', 'PUT a 2', 'PUT a 3']);
  });
});
