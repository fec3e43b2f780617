import { readFileSync, statfsSync } from 'node:fs';
import os from 'node:os';

const GIB = 1024 ** 3;
/** Above this share of the processors, others work beside the bench. */
const BUSY_SHARE = 0.25;

/** Magic numbers of `statfs(2)`. */
const FILE_SYSTEMS = new Map([
  [0xef53, 'ext4'],
  [0x01021994, 'tmpfs'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x794c7630, 'overlayfs'],
]);

/** Where something was measured. */
export interface Machine {
  readonly processors: string;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly directory: string;
  readonly fileSystem: string;
  readonly node: string;
}

export function machineOf(directory: string): Machine {
  const cpus = os.cpus();
  const type = statfsSync(directory).type;
  return {
    processors: `${String(os.availableParallelism())} x ${cpus[0]?.model ?? 'unknown'}`,
    memoryGib: os.totalmem() / GIB,
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    directory,
    fileSystem: FILE_SYSTEMS.get(type) ?? `0x${type.toString(16)}`,
    node: process.version,
  };
}

export function machineLines(machine: Machine): string[] {
  return [
    `machine    ${machine.processors}, ${machine.memoryGib.toFixed(1)} GiB, ${machine.kernel}`,
    `data       ${machine.directory} on ${machine.fileSystem}`,
    `Node       ${machine.node}`,
  ];
}

/** The load average of the last minute, and what to think of it where nothing of ours runs. */
export function loadLine(when: string): string {
  const load = Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]);
  return `load       ${load.toFixed(2)} ${when}`;
}

export function isBusy(): boolean {
  return (os.loadavg()[0] ?? 0) > BUSY_SHARE * os.availableParallelism();
}
