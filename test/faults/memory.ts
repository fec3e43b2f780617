import { readFileSync } from 'node:fs';
import { inTime } from './cluster.js';
import type { ServerProcess } from './server-process.js';

/** Memory of a process that lies in the machine's, as the kernel counts it. */
export function residentBytes(processId: number): number {
  const status = readFileSync(`/proc/${String(processId)}/status`, 'utf8');
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(status);
  if (line === null) throw new Error(`process ${String(processId)} has ended`);
  return Number(line[1]) * 1024;
}

/** Words in front of a server's, so that it can be asked for its memory, and collects garbage before there is much of it. */
export const PROBED = [
  'env',
  `NODE_OPTIONS=--max-old-space-size=96 --import=${new URL('memory-probe.js', import.meta.url).href}`,
];

/** What is in use in a server that was started with `PROBED`, without garbage. */
export async function bytesInUse(server: ServerProcess): Promise<number> {
  const answers = (): number[] =>
    [...server.stderr.matchAll(/^in use: (\d+)$/gm)].map((match) => Number(match[1]));
  const asked = answers().length;
  server.signal('SIGUSR2');
  await inTime(
    'the answer of the memory probe',
    server.until(() => answers().length > asked),
  );
  return answers().at(-1) ?? 0;
}
