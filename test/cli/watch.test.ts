import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { watch } from '../../src/cli/watch.js';
import type { Cancel, Clock } from '../../src/clock.js';
import { startScriptedServer } from '../client/scripted-server.js';
import type { Script, ScriptedServer } from '../client/scripted-server.js';
import { KV } from './run-kv.js';
import { statusLines, statusWith } from './status-answer.js';

/** A clock on which every wait is over at once, and is noted. */
function hurriedClock(waits: number[]): Clock {
  let nowMs = 0;
  const after = (delayMs: number, work: () => void): Cancel => {
    waits.push(delayMs);
    nowMs += delayMs;
    queueMicrotask(work);
    return { cancel: () => undefined };
  };
  return { nowMs: () => nowMs, after, every: after, nextTurn: (work) => setImmediate(work) };
}

async function watched(isTerminal: boolean, rounds: number): Promise<{ printed: string[]; waits: number[] }> {
  const stop = new AbortController();
  const printed: string[] = [];
  const waits: number[] = [];
  await watch({
    ask: () => {
      if (printed.length === rounds) stop.abort();
      return Promise.resolve([`round ${String(printed.length)}`, 'second line']);
    },
    output: {
      isTerminal,
      colour: false,
      write: (text) => {
        printed.push(String(text));
        return Promise.resolve();
      },
    },
    clock: hurriedClock(waits),
    isSpaced: true,
    stop: stop.signal,
  });
  return { printed, waits };
}

describe('a watch', () => {
  it('AppendsBlocksWhereItIsNotATerminal', async () => {
    const { printed, waits } = await watched(false, 2);
    expect(printed).to.deep.equal(['round 0\nsecond line\n', '\nround 1\nsecond line\n']);
    expect(waits).to.deep.equal([1000, 1000]);
  });

  it('WritesOverWhatStoodOnATerminal', async () => {
    const { printed } = await watched(true, 2);
    const body = (round: number): string =>
      `\u001b[Hround ${String(round)}\u001b[K\nsecond line\u001b[K\n\u001b[K\nCtrl-C ends this.\u001b[K\n\u001b[J`;
    expect(printed).to.deep.equal([`\u001b[2J${body(0)}`, body(1)]);
  });
});

describe('kv status --watch', () => {
  const servers: ScriptedServer[] = [];

  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  async function node(script: Script): Promise<ScriptedServer> {
    const server = await startScriptedServer(script);
    servers.push(server);
    return server;
  }

  /** Runs until what it printed holds this many blocks, then has Ctrl-C pressed. */
  async function watched(words: readonly string[], enough: (printed: string) => boolean): Promise<string> {
    const child = spawn(process.execPath, [KV, 'status', '--watch', ...words]);
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (enough(printed)) child.kill('SIGINT');
    });
    const [code] = (await once(child, 'close')) as [number | null];
    expect(code).to.equal(0);
    return printed;
  }

  it('AppendsABlockEachSecondOnAPipeUntilCtrlC', async () => {
    const primary = await node(() => statusWith('learner'));
    const block = `${statusLines('learner').join('\n')}\n`;
    const printed = await watched(
      ['--address', primary.address],
      (text) => text.split('role=primary\n').length > 2,
    );
    expect(printed).to.equal(`${block}\n${block}`);
  });

  it('KeepsAskingANodeThatDoesNotAnswerAndSaysSo', async () => {
    const first = await node((_line, socket) => {
      socket.destroy();
      return undefined;
    });
    let asked = 0;
    const flaky = await node((_line, socket) => {
      if (asked++ > 0) return statusWith(undefined);
      socket.destroy();
      return undefined;
    });
    const lines = (
      await watched(['--address', flaky.address, '--format', 'json'], (text) => text.includes('role'))
    )
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { error?: { code: string }; role?: string });
    expect(lines.map((line) => line.error?.code ?? line.role)).to.deep.equal(['CONNECTION_LOST', 'primary']);
    const text = await watched(['--address', first.address], (printed) => printed.includes('\n\n'));
    expect(text).to.include(
      `${first.address} closed the connection\n${first.address} is asked again each second.`,
    );
  });

  it('EndsAtOnceWhileItWaitsForAnAnswer', async () => {
    const silent = await node(() => undefined);
    const child = spawn(process.execPath, [KV, 'status', '--watch', '--address', silent.address]);
    await silent.until(() => silent.lines.length === 1);
    child.kill('SIGINT');
    expect(await once(child, 'close')).to.deep.equal([0, null]);
  });
});
