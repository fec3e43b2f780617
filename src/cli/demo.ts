import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClient } from '../client/client.js';
import type { KvClient } from '../client/client.js';
import { systemClock } from '../clock.js';

/**
 * Plays what the README tells, on three nodes of its own: a primary is killed, a backup takes over, and nothing is lost.
 * `npm run demo` runs it. It cleans up behind itself however it ends, and its exit status says whether all went well.
 */

const KV = fileURLToPath(new URL('../../../bin/kv', import.meta.url));
const NAMES = ['anna', 'berta', 'clara'] as const;
const WRITES = 4000;
const WRITERS = 50;
const STEP_MS_MAX = 20_000;
const POLL_MS = 25;
const FAILED = 1;
const INTERRUPTED = 130;

interface DemoNode {
  readonly name: string;
  readonly address: string;
  readonly client: KvClient;
  readonly words: readonly string[];
  process: ChildProcess | undefined;
  stderr: string;
}

/** What must be gone at the end, whatever happened. */
interface Stage {
  readonly directory: string;
  readonly nodes: DemoNode[];
  readonly stop: AbortController;
}

class DemoFailure extends Error {}

process.exitCode = await main();

async function main(): Promise<number> {
  const stage: Stage = {
    directory: mkdtempSync(path.join(os.tmpdir(), 'understudy-demo-')),
    nodes: [],
    stop: new AbortController(),
  };
  const onSignal = (): void => {
    stage.stop.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // The last resort: children do not outlive a process that ends in a way that nobody thought of.
  process.on('exit', () => {
    killAll(stage);
  });
  try {
    await Promise.race([play(stage), interrupted(stage.stop.signal)]);
    return stage.stop.signal.aborted ? INTERRUPTED : 0;
  } catch (error) {
    if (stage.stop.signal.aborted) {
      process.stderr.write('demo: interrupted\n');
      return INTERRUPTED;
    }
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
    for (const { name, stderr } of stage.nodes)
      process.stderr.write(`--- what ${name} logged last\n${stderr}`);
    return FAILED;
  } finally {
    stage.stop.abort();
    await cleanUp(stage);
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  }
}

function interrupted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => {
      reject(new DemoFailure('interrupted'));
    });
  });
}

async function play(stage: Stage): Promise<void> {
  const startMs = systemClock.nowMs();
  say('Three nodes on this machine: anna is the primary, berta and clara follow her.');
  const [anna, berta, clara] = await cast(stage);
  await timed('start the three servers', () =>
    Promise.all([anna, berta, clara].map((node) => start(stage, node))),
  );
  for (const backup of [berta, clara]) {
    await timed(`add ${backup.name} as a backup`, async () => {
      await anna.client.addBackup(backup.address);
      await untilMember(anna, backup);
    });
  }
  await timed('write mykey=myvalue at anna', () => anna.client.put('mykey', 'myvalue'));
  await timed('read it at berta', () => untilRead(berta, 'mykey', 'myvalue'));

  say('', `Now ${String(WRITERS)} writers at once, and a kill -9 of anna in the middle of it.`);
  const acknowledged = await timed('write until anna is dead', () => writeUntilDead(anna));
  say(`  ${String(acknowledged.length)} writes were acknowledged before she died.`);
  const report = await timed('promote berta (clara is the majority that she needs)', () => promote(berta));
  say(`  berta is the primary in term ${String(report.term)}, from ${report.position} on.`);
  await timed('look for every acknowledged write at berta', () => checkAll(berta, acknowledged));
  say(`  mykey and all ${String(acknowledged.length)} acknowledged writes are there: nothing is lost.`);
  await timed('write on, at berta', () => berta.client.put('mykey', 'written after the takeover'));

  say('', 'anna comes back, as if somebody had plugged the machine in again.');
  await timed('start anna', () => start(stage, anna));
  await timed('anna finds the new primary and becomes her backup', async () => {
    await untilMember(berta, anna);
    await untilRead(anna, 'mykey', 'written after the takeover');
  });
  await timed('a write that reaches anna is told where to go', () => refusedAsBackup(anna, berta));

  say('', 'And a planned change: anna takes over from berta, who runs.');
  const handOver = await timed('promote anna', () => promote(anna));
  if (handOver.handedOverBy !== berta.address) throw new DemoFailure('berta did not hand over');
  await timed('look for every acknowledged write at anna', () => checkAll(anna, acknowledged));
  say(
    '',
    `That was it: ${seconds(systemClock.nowMs() - startMs)} in all, two changes of the primary, nothing lost.`,
  );
}

async function cast(stage: Stage): Promise<[DemoNode, DemoNode, DemoNode]> {
  const ports = await freePorts(NAMES.length);
  const primary = `127.0.0.1:${String(ports[0])}`;
  const [anna, berta, clara] = NAMES.map((name, at): DemoNode => {
    const address = `127.0.0.1:${String(ports[at])}`;
    const role = at === 0 ? ['--role', 'primary'] : ['--role', 'backup', '--primary', primary];
    const dbPath = path.join(stage.directory, `${name}.json`);
    const words = ['server', '--address', address, '--db-path', dbPath, ...role];
    return {
      name,
      address,
      client: createClient({ address, timeoutMs: STEP_MS_MAX, whenUnreachable: 'fail' }),
      words,
      process: undefined,
      stderr: '',
    };
  });
  if (anna === undefined || berta === undefined || clara === undefined)
    throw new DemoFailure('somebody is missing');
  stage.nodes.push(anna, berta, clara);
  return [anna, berta, clara];
}

/** Ports that were free a moment ago, all different: they are asked for at the same time. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      return new Promise<net.Server>((resolve, reject) => {
        const server = net.createServer();
        server.once('error', reject);
        server.listen(0, '127.0.0.1', () => {
          resolve(server);
        });
      });
    }),
  );
  const ports = servers.map((server) => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Resolves at the line for scripts. */
function start(stage: Stage, node: DemoNode): Promise<void> {
  if (stage.stop.signal.aborted) return Promise.reject(new DemoFailure('interrupted'));
  const child = spawn(process.execPath, [KV, ...node.words], { stdio: ['ignore', 'pipe', 'pipe'] });
  node.process = child;
  child.stderr.on(
    'data',
    (chunk: Buffer) => (node.stderr = `${node.stderr}${chunk.toString()}`.slice(-4000)),
  );
  return new Promise((resolve, reject) => {
    child.stdout.on('data', () => {
      resolve();
    });
    child.on('error', reject);
    child.on('close', () => {
      reject(new DemoFailure(`${node.name} ended before it was ready`));
    });
  });
}

function kill(node: DemoNode): Promise<void> {
  const child = node.process;
  const hasEnded = child !== undefined && (child.exitCode !== null || child.signalCode !== null);
  if (child === undefined || hasEnded) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => {
      resolve();
    });
    child.kill('SIGKILL');
  });
}

function killAll({ nodes }: Stage): void {
  for (const node of nodes) node.process?.kill('SIGKILL');
}

async function cleanUp(stage: Stage): Promise<void> {
  for (const { client } of stage.nodes) client.close();
  await Promise.all(stage.nodes.map(kill));
  rmSync(stage.directory, { recursive: true, force: true });
}

async function promote(node: DemoNode): ReturnType<KvClient['promote']> {
  return node.client.promote();
}

/** Several writers at once, until the node is killed in the middle of it; answers the keys whose writes were acknowledged. */
async function writeUntilDead(node: DemoNode): Promise<string[]> {
  const acknowledged: string[] = [];
  let killed: Promise<void> | undefined;
  let last = 0;
  const write = async (): Promise<void> => {
    while (last < WRITES && killed === undefined) {
      const key = `write-${String(++last)}`;
      await node.client.put(key, valueOf(key));
      acknowledged.push(key);
      if (acknowledged.length === WRITES / 2) killed = kill(node);
    }
  };
  // Of a write that fails nobody knows whether it was done: it may be there or not.
  await Promise.allSettled(Array.from({ length: WRITERS }, write));
  await killed;
  if (killed === undefined)
    throw new DemoFailure(`only ${String(acknowledged.length)} writes were acknowledged`);
  return acknowledged;
}

function valueOf(key: string): string {
  return `the value of ${key}`;
}

async function checkAll(node: DemoNode, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  const values = await node.client.mget(keys);
  const lost = keys.filter((key, at) => values[at]?.toString() !== valueOf(key));
  if (lost.length > 0)
    throw new DemoFailure(
      `${String(lost.length)} acknowledged writes are lost: ${lost.slice(0, 5).join(' ')}`,
    );
  if ((await node.client.get('mykey')) === undefined) throw new DemoFailure('mykey is lost');
}

function untilMember(primary: DemoNode, backup: DemoNode): Promise<void> {
  return until(`${backup.name} is a member`, async () => {
    const { members } = await primary.client.status();
    return members.some(
      (member) => member.get('member') === backup.address && member.get('state') === 'member',
    );
  });
}

/** A backup may be behind for a moment. */
function untilRead(node: DemoNode, key: string, value: string): Promise<void> {
  return until(`${node.name} has ${key}`, async () => (await node.client.get(key))?.toString() === value);
}

/** Asked as a script asks it, over a plain connection: the client would follow to the primary by itself. */
async function refusedAsBackup(backup: DemoNode, primary: DemoNode): Promise<void> {
  const answer = await ask(backup.address, 'PUT mykey elsewhere\n');
  if (!answer.startsWith(`ERROR NOT_PRIMARY ${primary.address}`))
    throw new DemoFailure(`it was answered ${answer}`);
  say(`  ${answer.trimEnd()}`);
}

function ask(address: string, line: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const at = address.lastIndexOf(':');
    const socket = net.connect(Number(address.slice(at + 1)), address.slice(0, at));
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
    socket.on('error', reject);
    socket.on('end', () => {
      resolve(answer);
    });
    socket.end(line);
  });
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const endMs = systemClock.nowMs() + STEP_MS_MAX;
  while (!(await isSo())) {
    if (systemClock.nowMs() > endMs) throw new DemoFailure(`it does not come about that ${what}`);
    await new Promise<void>((resolve) => systemClock.after(POLL_MS, resolve));
  }
}

/** Does one step, and says what it was and how long it took. */
async function timed<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startMs = systemClock.nowMs();
  let result: T;
  try {
    result = await work();
  } catch (error) {
    throw new DemoFailure(`${what}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  say(`  ${what.padEnd(56)} ${seconds(systemClock.nowMs() - startMs).padStart(8)}`);
  return result;
}

function seconds(ms: number): string {
  return ms < 1000 ? `${String(Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function say(...lines: string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}
