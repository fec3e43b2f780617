import net from 'node:net';

/**
 * A client of its own process that pings, each time as soon as the last one was answered and a millisecond has passed.
 * It is told over the channel to its parent when to begin and when to report, so that nothing that the parent does counts as a wait.
 */

/** What the parent asks. */
export type PingOrder = 'begin' | 'report';

/** What it is told: waits in milliseconds. */
export interface PingReport {
  readonly pings: number;
  readonly longestMs: number;
  readonly p99Ms: number;
}

const PAUSE_MS = 1;

function watch(host: string, port: number): void {
  const socket = net.connect({ host, port, noDelay: true });
  let waits: number[] = [];
  let sentMs = 0;
  let isReportDue = false;
  const ping = (): void => {
    sentMs = performance.now();
    socket.write('PING\n');
  };
  socket.on('connect', () => {
    process.send?.('ready');
    ping();
  });
  // One ping is under way at a time, and its answer comes in one piece.
  socket.on('data', () => {
    waits.push(performance.now() - sentMs);
    if (isReportDue) {
      process.send?.(summary(waits));
      isReportDue = false;
      waits = [];
    }
    setTimeout(ping, PAUSE_MS);
  });
  process.on('message', (order: PingOrder) => {
    if (order === 'begin') waits = [];
    // The ping that is under way may be the one that waits longest: its answer ends the report.
    else isReportDue = true;
  });
  // Whoever asked is gone.
  process.on('disconnect', () => socket.destroy());
}

function summary(waits: readonly number[]): PingReport {
  const sorted = [...waits].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { pings: sorted.length, longestMs: sorted.at(-1) ?? 0, p99Ms: at(0.99) };
}

const [host, port] = process.argv.slice(2);
if (host === undefined || port === undefined) throw new Error('give host and port');
watch(host, Number(port));
