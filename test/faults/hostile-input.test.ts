import { expect } from 'chai';
import net from 'node:net';
import { readChunks } from '../protocol/reading.js';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { talk } from '../server/conversation.js';
import { inTime } from './cluster.js';
import { contentOfServer } from './content.js';
import { hostileStream, inPieces } from './hostile-bytes.js';
import { applyStream } from './hostile-model.js';
import { PROBED, bytesInUse, residentBytes } from './memory.js';
import { serverProcesses } from './server-process.js';
import type { ServerProcess } from './server-process.js';

/** How many requests and violations, of which each test does its share; a long run gives more. */
const INPUTS = Number(process.env.KV_HOSTILE_INPUTS ?? 40_000);
const INPUTS_OVER_CONNECTIONS = Math.ceil(INPUTS * 0.3);
const STREAMS_A_ROUND = 200;
const MIB = 1024 * 1024;
/** What is in use may differ by this when nothing is kept of each request: tables that grew, code that was compiled. */
const GROWTH_BYTES_MAX = 2 * MIB;
/** And the process by this, which gives nothing back at once. */
const RESIDENT_GROWTH_BYTES_MAX = 48 * MIB;
const PIECES_SENT_SLOWLY = 20;
const SHOWN_CHARACTERS = 600;
const SENTINELS = new Map(
  Array.from({ length: 20 }, (_, at) => [`untouched ${String(at)}`, `as it was ${String(at)}`]),
);

/** Sends the pieces, ends its side and resolves with what came back once the other side has closed. */
function send(address: string, pieces: readonly Buffer[], random: Random): Promise<string> {
  const [host, port] = address.split(':');
  const socket = net.connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true });
  const received: Buffer[] = [];
  // The first few are sent in turns of their own.
  const slowly = random.below(10) === 0 ? pieces.slice(0, PIECES_SENT_SLOWLY) : [];
  socket.on('connect', () => {
    let at = 0;
    const next = (): void => {
      const piece = slowly[at++];
      if (piece !== undefined) {
        socket.write(piece, () => setImmediate(next));
        return;
      }
      for (const rest of pieces.slice(slowly.length)) socket.write(rest);
      socket.end();
    };
    next();
  });
  return new Promise((resolve) => {
    socket.on('data', (chunk) => received.push(chunk));
    // A reset behind the reply is how a close with unread bytes looks.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(received).toString('latin1')));
  });
}

/** One after the other, so that a map can say what has to be there afterwards. */
async function round(
  address: string,
  random: Random,
  content: Map<string, string>,
): Promise<{ inputs: number; violations: number; writes: number }> {
  const sum = { inputs: 0, violations: 0, writes: 0 };
  for (let count = 0; count < STREAMS_A_ROUND; count++) {
    const stream = hostileStream(random);
    const effect = applyStream(stream, content);
    const shown = JSON.stringify(stream.toString('latin1'));
    const received = await inTime(
      shown.slice(0, SHOWN_CHARACTERS),
      send(address, inPieces(random, stream), random),
    );
    if (effect.inputs > 0 && received === '' && !shown.includes('*')) {
      throw new Error(`no answer at all: ${shown.slice(0, SHOWN_CHARACTERS)}`);
    }
    sum.inputs += effect.inputs;
    sum.violations += effect.violations;
    sum.writes += effect.writes;
  }
  return sum;
}

function expectSame(found: ReadonlyMap<string, string>, expected: ReadonlyMap<string, string>): void {
  const differing = [...new Set([...found.keys(), ...expected.keys()])].filter(
    (key) => found.get(key) !== expected.get(key),
  );
  const shown = differing.slice(0, 3).map((key) => [key, found.get(key), expected.get(key)]);
  expect(shown, 'key, found, expected').to.deep.equal([]);
}

describe('Random and mutated input in both framings', () => {
  const servers = serverProcesses();

  it('IsReadTheSameHoweverItIsCut', async function () {
    this.timeout(INPUTS * 3 + 20_000);
    await withSeed(testSeed(), (random) => {
      for (let inputs = 0; inputs < INPUTS;) {
        const stream = hostileStream(random);
        const whole = readChunks([Buffer.from(stream)]);
        const pieces = readChunks(inPieces(random, stream));
        if (JSON.stringify(pieces) !== JSON.stringify(whole)) {
          expect(pieces, JSON.stringify(stream.toString('latin1'))).to.deep.equal(whole);
        }
        inputs += whole.length;
      }
    });
  });

  it('StoresWhatWholeRequestsSayCrashesNothingAndLeavesTheMemoryWhereItWas', async function () {
    this.timeout(INPUTS_OVER_CONNECTIONS * 10 + 20_000);
    const server = await servers.start({ options: ['--fsync', 'off', '--log-level', 'warn'], under: PROBED });
    const { address } = server;
    const sentinels = [...SENTINELS].map(([key, value]) => `PUT "${key}" ${value}\n`).join('');
    await talk(address, sentinels);
    const seed = testSeed();
    await withSeed(seed, async (random) => {
      const sum = { inputs: 0, violations: 0, writes: 0 };
      let before: Memory | undefined;
      while (sum.inputs < INPUTS_OVER_CONNECTIONS) {
        const content = new Map(SENTINELS);
        const done = await round(address, random, content);
        expectSame(await contentOfServer(address), content);
        await removeAll(address, content);
        sum.inputs += done.inputs;
        sum.violations += done.violations;
        sum.writes += done.writes;
        if (sum.inputs > INPUTS_OVER_CONNECTIONS / 3) before ??= await memoryOf(server);
      }
      const after = await memoryOf(server);
      if (process.env.KV_HOSTILE_INPUTS !== undefined) {
        const grew = `in use ${String(before!.inUse)} B, then ${String(after.inUse)} B`;
        process.stdout.write(`      seed ${String(seed)}: ${JSON.stringify(sum)}, ${grew}\n`);
      }
      expect(after.inUse - before!.inUse, 'bytes in use').to.be.lessThan(GROWTH_BYTES_MAX);
      expect(after.resident - before!.resident).to.be.lessThan(RESIDENT_GROWTH_BYTES_MAX);
    });
    expect(server.hasEnded).to.equal(false);
    expect(server.stderr).not.to.include('a defect ended a connection');
  });
});

interface Memory {
  readonly inUse: number;
  readonly resident: number;
}

async function memoryOf(server: ServerProcess): Promise<Memory> {
  return { inUse: await bytesInUse(server), resident: residentBytes(server.processId) };
}

/** Leaves the keys that nobody but the test wrote. */
async function removeAll(address: string, content: Map<string, string>): Promise<void> {
  const keys = [...content.keys()].filter((key) => !SENTINELS.has(key));
  const quoted = keys.map((key) =>
    Array.from(key, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`).join(''),
  );
  if (keys.length > 0) await talk(address, `DEL ${quoted.map((key) => `"${key}"`).join(' ')}\n`);
}
