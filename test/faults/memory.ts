import { readFileSync } from 'node:fs';

/** Memory of a process that lies in the machine's, as the kernel counts it. */
export function residentBytes(processId: number): number {
  const status = readFileSync(`/proc/${String(processId)}/status`, 'utf8');
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(status);
  if (line === null) throw new Error(`process ${String(processId)} has ended`);
  return Number(line[1]) * 1024;
}
