import { readFileSync, writeFileSync } from 'node:fs';

/** What the kernel tells about a process under /proc. */

/** Of `/proc/PID/status`. */
export interface MemoryStatus {
  /** Pages of the process that lie in memory, those that it shares with others included. */
  readonly residentBytes: number;
  /** The most that this ever was, or was since `forgetPeak`. */
  readonly peakResidentBytes: number;
}

export function parseMemoryStatus(text: string): MemoryStatus {
  return {
    residentBytes: kilobytesOf(text, 'VmRSS'),
    peakResidentBytes: kilobytesOf(text, 'VmHWM'),
  };
}

/** `Pss` of `/proc/PID/smaps_rollup`: resident memory, in which a page that several processes share counts in part. */
export function parseProportionalBytes(text: string): number {
  return kilobytesOf(text, 'Pss');
}

function kilobytesOf(text: string, name: string): number {
  const line = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text);
  // What has ended has no memory, but still its entry, until its parent has asked for its status.
  if (line === null) throw new Error(`there is no ${name}: the process has ended`);
  return Number(line[1]) * 1024;
}

/** Processor time of `/proc/PID/stat`, in ticks: of all threads, without the children. */
export function parseProcessorTicks(text: string): number {
  return ticksOf(text, 14);
}

/** The same of the children that have ended and were waited for. */
export function parseEndedChildrenTicks(text: string): number {
  return ticksOf(text, 16);
}

/**
 * Two neighbouring fields, as proc(5) numbers them: user time and system time.
 * The name of the program stands in parentheses and may hold blanks and parentheses itself.
 */
function ticksOf(text: string, field: number): number {
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .trim()
    .split(' ');
  // The first field here is the third of the file.
  const ticks = Number(fields[field - 3]) + Number(fields[field - 2]);
  if (!Number.isFinite(ticks)) throw new Error(`this is no line of /proc/PID/stat: ${text}`);
  return ticks;
}

/** `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

export function memoryOf(processId: number): MemoryStatus {
  return parseMemoryStatus(read(processId, 'status'));
}

export function proportionalBytesOf(processId: number): number {
  return parseProportionalBytes(read(processId, 'smaps_rollup'));
}

export function processorMsOf(processId: number): number {
  return (parseProcessorTicks(read(processId, 'stat')) / TICKS_PER_SECOND) * 1000;
}

/** Processor time of all children of this process that have ended. */
export function endedChildrenMs(): number {
  return (parseEndedChildrenTicks(readFileSync('/proc/self/stat', 'utf8')) / TICKS_PER_SECOND) * 1000;
}

/** From now on `peakResidentBytes` begins at what is resident now. */
export function forgetPeak(processId: number): void {
  writeFileSync(`/proc/${String(processId)}/clear_refs`, '5');
}

function read(processId: number, file: string): string {
  return readFileSync(`/proc/${String(processId)}/${file}`, 'utf8');
}
