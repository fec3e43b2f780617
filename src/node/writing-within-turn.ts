/** What is written within the turn is at most this much, where that waits for the disk: everything else waits for it. */
export const WITHIN_TURN_BYTES_MAX = 24 * 1024;
/**
 * The same where a write takes as long as copying the bytes does, 0.1 ms for this many: less than handing it to another thread and being
 * told of its end costs the whole of a small group. A batch is smaller, unless one value makes it larger.
 */
export const CACHED_BYTES_MAX = 512 * 1024;
/** How many of the clients must have a write in the group, so that few others wait for nothing. */
export const WITHIN_TURN_SHARE_MIN = 0.4;
/**
 * How many it must be at a disk that is quick: then to hand the write to another thread, which has to get a processor twice, takes the writers
 * longer than waiting takes the others. With one write to nine reads, 50 clients and two processors a write takes 0.9 ms where it
 * took 1.3, and nine reads in ten no longer than before.
 */
export const FEW_SHARE_MIN = 0.05;
/** A disk is quick while a write takes at most this. */
export const QUICK_WRITE_MS = 0.4;
/** The groups of few find out at the cost of at most this part of the time that it is not quick. */
export const FEW_LOST_SHARE_MAX = 1 / 20;
/**
 * A write that takes longer is one of a disk that stalls, that others use as well, or that was never fast enough. Waiting pays
 * where a write takes about as long as answering the clients does: a few tenths of a millisecond.
 */
export const SLOW_WRITE_MS = 2;
/** Slow writes keep the others waiting for at most this part of the time, so that not one read in a hundred meets one. */
export const SLOW_SHARE_MAX = 1 / 100;
/**
 * Each slow write right behind another halves that part, down to this one: a disk that stalls, or flushes what it was given, has a few in a row
 * and is quick again; one that is slow is soon left alone. A fixed thousandth for the second kept half of a mixed load of 16 in a
 * pipeline beside the turn, at 45,000 durable SETs a second in place of 60,000.
 */
export const SLOW_DISK_SHARE_MIN = 1 / 10_000;
/**
 * The part where there are no clients. A backup keeps only other nodes waiting, and they wait for this very write; on two processors
 * its other thread gets one late, behind those of the primary and its clients: 42,200 to 44,800 SET a second of 50 of them.
 */
export const UNSHARED_SLOW_SHARE_MAX = 1 / 10;
/**
 * So much of a time without slow writes is counted when one comes, and allows a few of them: a machine that does something else at times
 * has one or two a second, of 2 to 8 ms.
 */
export const CREDIT_MS = 2000;

/** What slow writes have left behind. */
export interface SlowWrites {
  /** Until when nothing is written within the turn. */
  readonly notBeforeMs: number;
  /** How many of the last writes within the turn were slow, one right behind the other. */
  readonly inARow: number;
  /** Until when nothing of few clients is written within the turn, since the disk is not quick. */
  readonly fewNotBeforeMs: number;
}

export const NO_SLOW_WRITES: SlowWrites = { notBeforeMs: 0, inARow: 0, fewNotBeforeMs: 0 };

/** What is known when a group of frames is about to be written. */
export interface WriteMoment {
  readonly bytes: number;
  readonly entries: number;
  /** Whether the write waits for the disk, and not for the kernel's memory alone. */
  readonly isDurable: boolean;
  /** How many clients there are. */
  readonly connections: number;
  readonly nowMs: number;
  readonly slowWrites: SlowWrites;
}

/**
 * Whether a group is written while everything else waits. When most of the clients wait for this very write, that answers them
 * sooner: beside a write that others do not wait for, the rest of the clients would form a second group, half as large, and
 * the two would take turns. Larger groups, and those of few among many clients at a disk that is not quick, are written beside the others'
 * work.
 */
export function mayWriteWithinTurn(moment: WriteMoment): boolean {
  const { bytes, entries, isDurable, connections, nowMs, slowWrites } = moment;
  if (nowMs < slowWrites.notBeforeMs) return false;
  if (!isDurable) return bytes < CACHED_BYTES_MAX;
  if (bytes >= WITHIN_TURN_BYTES_MAX) return false;
  const shareMin = nowMs < slowWrites.fewNotBeforeMs ? WITHIN_TURN_SHARE_MIN : FEW_SHARE_MIN;
  return entries >= shareMin * connections;
}

/** What counts once a group was written within the turn and has taken this long. @param connections - of clients. */
export function afterWrite(
  before: SlowWrites,
  tookMs: number,
  nowMs: number,
  connections: number,
): SlowWrites {
  if (tookMs <= QUICK_WRITE_MS) return before.inARow > 0 ? { ...before, inARow: 0 } : before;
  const fewNotBeforeMs = nowMs + tookMs / FEW_LOST_SHARE_MAX;
  const { notBeforeMs } = before;
  if (tookMs <= SLOW_WRITE_MS) return { notBeforeMs, inARow: 0, fewNotBeforeMs };
  const inARow = before.inARow + 1;
  if (connections === 0)
    return { notBeforeMs: nowMs + tookMs / UNSHARED_SLOW_SHARE_MAX, inARow, fewNotBeforeMs };
  const share = Math.max(SLOW_SHARE_MAX / 2 ** before.inARow, SLOW_DISK_SHARE_MIN);
  const lastNotBeforeMs = Math.max(notBeforeMs, nowMs - CREDIT_MS) + tookMs / share;
  return { notBeforeMs: lastNotBeforeMs, inARow, fewNotBeforeMs };
}
