import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import { DEFAULT_SERVER_LIMITS } from '../../src/server/limits.js';
import { Conversation, talk } from '../server/conversation.js';
import { eventually, inTime } from './cluster.js';
import { ConnectionCrowd } from './connection-crowd.js';
import { PROBED, bytesInUse, residentBytes } from './memory.js';
import { serverProcesses } from './server-process.js';

const KIB = 1024;
const MIB = 1024 * KIB;
/** What a process needs open beside its connections. */
const OTHER_FILES = 200;
/** What a connection that only waits may cost the server, the kernel's buffers apart. */
const IDLE_CONNECTION_BYTES_MAX = 24 * KIB;
/** What may be in use beyond what was before they came: less than 500 bytes for each. */
const KEPT_BYTES_MAX = 4 * MIB;
/** Far less than what a crowd takes: the second one does not come on top of the first. */
const GARBAGE_BYTES_MAX = 40 * MIB;
const LONG_WAIT_MS = 60_000;

/** As many as the bound has by itself, or fewer where the machine does not let a process have so many. */
function connectionsThatFit(): number {
  // Node lifts the soft limit to the hard one when it starts.
  const limits = readFileSync('/proc/self/limits', 'utf8');
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? '0';
  const most = hard === 'unlimited' ? Infinity : Number(hard) - OTHER_FILES;
  const wanted = DEFAULT_SERVER_LIMITS.connectionsMax;
  if (most >= wanted) return wanted;
  tell(`only ${String(most)} of ${String(wanted)} connections: a process may have ${hard} open files here`);
  return most;
}

function tell(line: string): void {
  process.stdout.write(`      ${line}\n`);
}

describe('As many clients as there may be', () => {
  const servers = serverProcesses();
  let crowds: ConnectionCrowd[] = [];

  afterEach(() => {
    for (const crowd of crowds) crowd.kill();
    crowds = [];
  });

  async function gather(address: string, count: number): Promise<ConnectionCrowd> {
    const crowd = new ConnectionCrowd();
    crowds.push(crowd);
    const report = await inTime('the answers to all', crowd.come(address, count), LONG_WAIT_MS);
    expect(report).to.deep.equal({ done: count, odd: [] });
    return crowd;
  }

  it('AreAllAnsweredOneMoreIsToldBusyAndTheirMemoryComesBack', async function () {
    this.timeout(4 * LONG_WAIT_MS);
    const count = connectionsThatFit();
    const server = await servers.start({ under: PROBED });
    const { address, processId } = server;
    await talk(address, 'PUT mykey myvalue\n');
    const [before, inUseBefore] = [residentBytes(processId), await bytesInUse(server)];
    const crowd = await gather(address, count);
    const each = (residentBytes(processId) - before) / count;
    tell(`${String(count)} idle connections: ${(each / KIB).toFixed(1)} KiB each`);
    expect(each).to.be.lessThan(IDLE_CONNECTION_BYTES_MAX);

    const busy = `BUSY ${String(count)} clients are connected: try again later`;
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(await talk(address, 'PUT mykey other\n')).to.equal(`ERROR ${busy}\n`);
      expect(await talk(address, '*1\r\n$4\r\nPING\r\n')).to.equal(`-${busy}\r\n`);
    }
    expect(await inTime('all at once', crowd.ask(), LONG_WAIT_MS)).to.deep.equal({ done: count, odd: [] });
    const most = residentBytes(processId);

    await inTime('leaving', crowd.leave(), LONG_WAIT_MS);
    const client = await eventually(
      'a place that is free',
      async () => {
        const conversation = await Conversation.open(address);
        conversation.send('GET mykey\n');
        const [line] = await conversation.lines(1);
        if (line !== 'myvalue') conversation.socket.destroy();
        return line === 'myvalue' ? conversation : undefined;
      },
      (conversation) => conversation !== undefined,
    );
    await eventually(
      'nothing is kept of those who left',
      () => bytesInUse(server),
      (bytes) => bytes - inUseBefore < KEPT_BYTES_MAX,
    );
    const beginMs = performance.now();
    for (let asked = 2; asked <= 101; asked++) {
      client!.send('GET mykey\n');
      await client!.lines(asked);
    }
    const eachMs = (performance.now() - beginMs) / 100;
    tell(`a GET after they left: ${eachMs.toFixed(2)} ms`);
    expect(eachMs).to.be.lessThan(50);
    client!.end();

    // What they left behind is used again: as many once more cost nothing on top.
    await gather(address, count - 1);
    const again = residentBytes(processId);
    tell(`at most ${mib(most)} the first time, ${mib(again)} the second`);
    expect(again - most).to.be.lessThan(GARBAGE_BYTES_MAX);
  });
});

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(0)} MiB`;
}
