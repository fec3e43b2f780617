import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { seededRandom, testSeed } from '../random.js';
import { Conversation } from '../server/conversation.js';
import { clusters, eventually, inTime, promote, untilMember } from './cluster.js';
import type { ClusterNode } from './cluster.js';
import { RecordedClient, Recording } from './recording.js';

const READERS = 4;
/** The writes of a primary to its links are few beside the answers to its readers; one of those is stopped sooner or later. */
const TRIES_MAX = 10;

describe('A primary that is stopped between the look at its lease and the answer', () => {
  const nodes = clusters();
  let clients: RecordedClient[] = [];
  let open: Conversation[] = [];

  afterEach(async () => {
    await Promise.all(clients.map((client) => client.stop()));
    for (const { socket } of open) socket.destroy();
    [clients, open] = [[], []];
  });

  /**
   * Has the kernel stop the process in the place of its next write on the main thread, which is the answer to a read: the write
   * fails as one for which there is no room, and is made again once the process goes on.
   *
   * @returns what was to be written.
   */
  async function stopAtWrite(node: ClusterNode, attempt: number): Promise<string> {
    const file = path.join(nodes.servers.directory, `trace-${String(attempt)}`);
    const stop = 'inject=write,writev:error=EAGAIN:signal=SIGSTOP:when=1';
    const processId = node.process.processId;
    const words = ['-p', String(processId), '-e', 'trace=write,writev', '-e', stop, '-o', file];
    const tracer = spawn('strace', words, { stdio: 'ignore' });
    const over = new Promise<void>((resolve) => tracer.on('close', () => resolve()));
    const trace = (): string => {
      try {
        return readFileSync(file, 'latin1');
      } catch {
        return '';
      }
    };
    await eventually('it is stopped', trace, (text) => text.includes('--- stopped by SIGSTOP ---'));
    tracer.kill('SIGTERM');
    await inTime('the end of strace', over);
    await eventually(
      'it stands still',
      () => readFileSync(`/proc/${String(processId)}/stat`, 'latin1'),
      (stat) => stat.includes(') T '),
    );
    return /^writev?\((.*)\) = -1 EAGAIN .*\(INJECTED\)$/m.exec(trace())?.[1] ?? trace();
  }

  it('GivesNoAnswerThatWasNotRightAtSomeMomentSinceItWasAskedFor', async function () {
    this.timeout(120_000);
    const random = seededRandom(testSeed());
    const [old, successor, other] = (await nodes.of(3)) as [ClusterNode, ClusterNode, ClusterNode];
    const recording = new Recording();
    const everywhere = [old, successor, other].map(({ address }) => address);
    const reached = [...Array.from({ length: READERS }, () => [old.address]), everywhere, everywhere];
    expect(await old.ask('PUT k old')).to.equal('OK');
    clients = reached.map((addresses, at) => {
      // Who stays with the old primary waits for its answer, however long that takes.
      const answerMsMax = addresses.length === 1 ? 60_000 : undefined;
      return new RecordedClient(`client${String(at)}`, addresses, recording, random, answerMsMax);
    });
    let written = '';
    for (let attempt = 0; !written.includes('role=primary'); attempt++) {
      expect(attempt, `the last write was ${written}`).to.be.below(TRIES_MAX);
      const { reads } = recording;
      old.process.signal('SIGCONT');
      await eventually(
        'reads',
        () => recording.reads,
        (count) => count > reads + 20,
      );
      written = await stopAtWrite(old, attempt);
    }
    await promote(successor);
    expect(await successor.ask('PUT k new')).to.equal('OK');
    const late = await Promise.all(Array.from({ length: READERS }, () => Conversation.open(old.address)));
    open.push(...late);
    for (const reader of late) reader.send('HEARTBEAT\nGET k\n');
    const before = recording.acknowledged;
    await eventually(
      'writes elsewhere',
      () => recording.acknowledged,
      (count) => count > before + 50,
    );
    old.process.signal('SIGCONT');
    for (const reader of late) {
      const [heartbeat = '', answer = ''] = await inTime('the answers to reads', reader.lines(2));
      if (heartbeat.includes('role=primary')) expect(answer).to.match(/^ERROR (NOT_PRIMARY|NO_QUORUM) /);
    }
    const { reads } = recording;
    await eventually(
      'reads go on',
      () => recording.reads,
      (count) => count > reads + 20,
    );
    await untilMember(successor, old);
    await Promise.all(clients.map((client) => client.stop()));
    await recording.readAll((command) => successor.ask(command));
    recording.check();
    expect(await successor.ask('GET k')).to.equal('new');
  });
});
