import { expect } from 'chai';
import { Conversation } from './conversation.js';
import { serverFixture } from './running-server.js';

/** Turns of the event loop that pass, which the server shares with this test. */
class Turns {
  count = 0;
  #isOver = false;

  constructor() {
    const next = (): void => {
      this.count++;
      if (!this.#isOver) setImmediate(next);
    };
    setImmediate(next);
  }

  stop(): number {
    this.#isOver = true;
    return this.count;
  }
}

interface Watched {
  /** Turns from the request to the end of its answer. */
  readonly turns: number;
  /** Pings of another client that were answered meanwhile. */
  readonly pings: number;
  readonly received: string;
}

/** Asks, and has another client ping until the answer is complete. */
async function watch(
  address: string,
  request: string | Buffer,
  isWhole: (all: string) => boolean,
): Promise<Watched> {
  const [asking, pinging] = [await Conversation.open(address), await Conversation.open(address)];
  const state = { pings: 0, isOver: false };
  const pingOn = async (): Promise<void> => {
    while (!state.isOver) {
      pinging.send('PING\n');
      const before = state.pings;
      await pinging.until((all) => all.length === 5 * (before + 1));
      state.pings++;
    }
  };
  const turns = new Turns();
  asking.send(request);
  const pinged = pingOn();
  // Looked at in its own turns: to put all that arrived together for each chunk would take longer than the server does.
  const chunks: Buffer[] = [];
  asking.socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const tail = (): string => Buffer.concat(chunks.slice(-4)).toString('latin1');
  while (!isWhole(tail())) await new Promise((resolve) => setImmediate(resolve));
  state.isOver = true;
  const count = turns.stop();
  const { pings } = state;
  await pinged;
  asking.socket.destroy();
  pinging.socket.destroy();
  return { turns: count, pings, received: Buffer.concat(chunks).toString('latin1') };
}

const MIB = 1024 * 1024;
const KEYS = 20_000;

function keys(count: number): string {
  return Array.from({ length: count }, (_, at) => `key${String(at)}`).join(' ');
}

describe('What takes long leaves others their turns', () => {
  const fixture = serverFixture();

  async function startFilled(): Promise<string> {
    const { address } = await fixture.start();
    const filler = await Conversation.open(address);
    filler.send(`MSET ${Array.from({ length: KEYS }, (_, at) => `key${String(at)} v`).join(' ')}\n`);
    await filler.lines(1);
    filler.end();
    return address;
  }

  const long: Record<string, { request: string; end: string; turns: number }> = {
    'KEYS over many keys': { request: 'KEYS\n', end: `END ${String(KEYS)}\n`, turns: KEYS / 1000 - 1 },
    'SCAN with a large COUNT': {
      request: 'SCAN 0 COUNT 20000\n',
      end: `END ${String(KEYS + 1)}\n`,
      turns: KEYS / 1000 - 1,
    },
    'Many SCAN at once': {
      request: `${'SCAN 0 COUNT 1\n'.repeat(200)}PING\n`,
      end: 'END 2\nPONG\n',
      turns: 200,
    },
    'MGET of many keys': {
      request: `MGET ${keys(KEYS)}\n`,
      end: `END ${String(KEYS)}\n`,
      turns: KEYS / 2000,
    },
    'EXISTS of many keys': {
      request: `EXISTS ${keys(KEYS)}\n`,
      end: `${String(KEYS)}\n`,
      turns: KEYS / 2000,
    },
    'INFO many times': {
      request: `${'INFO memory\n'.repeat(3000)}PING\n`,
      end: 'PONG\n',
      turns: 3000 / 100 - 1,
    },
    'COMMAND many times': {
      request: `${'COMMAND COUNT\n'.repeat(3000)}PING\n`,
      end: 'PONG\n',
      turns: 3000 / 100 - 1,
    },
    'Lines that are refused': {
      request: `${'\n'.repeat(60_000)}PING\n`,
      end: 'PONG\n',
      turns: 60_000 / 4000,
    },
    'PING many times': {
      request: `${'PING\n'.repeat(40_000)}ECHO done\n`,
      end: 'done\n',
      turns: 40_000 / 4000,
    },
    'Many small MGET at once': {
      request: `${`MGET ${keys(500)}\n`.repeat(400)}PING\n`,
      end: 'END 500\nPONG\n',
      turns: (400 * 500) / 25_000 - 1,
    },
  };
  for (const [name, { request, end, turns }] of Object.entries(long)) {
    it(`${name} takes turns, and pings are answered in between`, async () => {
      const address = await startFilled();
      const watched = await watch(address, request, (all) => all.endsWith(end));
      expect(watched.turns).to.be.at.least(turns);
      expect(watched.pings).to.be.at.least(2);
    });
  }

  const values: Record<string, Buffer> = {
    'text that stands bare': Buffer.alloc(16 * MIB, 'plain text'),
    'text that is quoted': Buffer.alloc(8 * MIB, 'größer\n'),
    'bytes that are no text': Buffer.alloc(8 * MIB, 0xff),
  };
  for (const [name, value] of Object.entries(values)) {
    it(`A large value of ${name} takes turns, and pings are answered in between`, async () => {
      const { address } = await fixture.start();
      const filler = await Conversation.open(address);
      filler.send(
        Buffer.concat([
          Buffer.from(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${String(value.length)}\r\n`),
          value,
          Buffer.from('\r\n'),
        ]),
      );
      await filler.lines(1);
      filler.end();
      const watched = await watch(address, 'GET k\nPING\n', (all) => all.endsWith('\nPONG\n'));
      expect(watched.turns).to.be.at.least(watched.received.length / (1.1 * MIB));
      expect(watched.pings).to.be.at.least(2);
    });
  }
});
