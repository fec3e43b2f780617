import type { Frame } from '../log/frame.js';

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
 * A write that takes longer is one of a disk that stalls, that others use as well, or that was never fast enough. Waiting pays
 * where a write takes about as long as answering the clients does: a few tenths of a millisecond.
 */
export const SLOW_WRITE_MS = 2;
/** Slow writes keep the others waiting for at most this part of the time, so that not one read in a hundred meets one. */
export const SLOW_SHARE_MAX = 1 / 100;
/** The same where one comes right behind another: that disk is slow, and does not only stall now and then. */
export const SLOW_DISK_SHARE_MAX = 1 / 1000;
/**
 * So much of a time without slow writes is counted when one comes, and allows a few of them: a machine that does something else at times
 * has one or two a second, of 2 to 8 ms.
 */
export const CREDIT_MS = 2000;

/** What slow writes have left behind. */
export interface SlowWrites {
  /** Until when nothing is written within the turn. */
  readonly notBeforeMs: number;
  /** Whether the last write within the turn was one. */
  readonly wasLast: boolean;
}

export const NO_SLOW_WRITES: SlowWrites = { notBeforeMs: 0, wasLast: false };

/** What is known when a group of frames is about to be written. */
export interface WriteMoment {
  readonly bytes: number;
  readonly entries: number;
  /** Whether the write waits for the disk, and not for the kernel's memory alone. */
  readonly isDurable: boolean;
  /** How many clients there are. */
  readonly connections: number;
  readonly nowMs: number;
  /** Until when a slow write forbids another one. */
  readonly notBeforeMs: number;
}

/**
 * Whether a group is written while everything else waits. When most of the clients wait for this very write, that answers them
 * sooner: beside a write that others do not wait for, the rest of the clients would form a second group, half as large, and
 * the two would take turns. Larger groups, and those of few among many clients, are written beside the others' work.
 */
export function mayWriteWithinTurn(moment: WriteMoment): boolean {
  const { bytes, entries, isDurable, connections, nowMs, notBeforeMs } = moment;
  if (nowMs < notBeforeMs) return false;
  if (!isDurable) return bytes < CACHED_BYTES_MAX;
  if (bytes >= WITHIN_TURN_BYTES_MAX) return false;
  return entries >= WITHIN_TURN_SHARE_MIN * connections;
}

/** What counts once a group was written within the turn and has taken this long. */
export function afterWrite(before: SlowWrites, tookMs: number, nowMs: number): SlowWrites {
  const { notBeforeMs, wasLast } = before;
  if (tookMs <= SLOW_WRITE_MS) return wasLast ? { notBeforeMs, wasLast: false } : before;
  const share = wasLast ? SLOW_DISK_SHARE_MAX : SLOW_SHARE_MAX;
  return { notBeforeMs: Math.max(notBeforeMs, nowMs - CREDIT_MS) + tookMs / share, wasLast: true };
}

export function sizeOf(frames: readonly Frame[]): { readonly bytes: number; readonly entries: number } {
  let bytes = 0;
  let entries = 0;
  for (const { start, end, count } of frames) {
    bytes += end - start;
    entries += count;
  }
  return { bytes, entries };
}
