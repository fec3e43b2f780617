/**
 * For how long writes are gathered that then wait for the disk alone, which at its best takes half as long; and those that wait for other
 * members as well. Longer ones keep a write to nine reads waiting, or bring no more.
 */
export const GATHERED_FOR_DISK_MS_MAX = 0.25;
export const GATHERED_FOR_OTHERS_MS_MAX = 0.5;
/** For how long writes are gathered; 0 where there is nothing to wait for, or nobody: one client that is alone. */
export function gatheredMsMax(isAlone: boolean, isDurable: boolean, connections: number): number {
  if (connections === 1) return 0;
  if (!isAlone) return GATHERED_FOR_OTHERS_MS_MAX;
  return isDurable ? GATHERED_FOR_DISK_MS_MAX : 0;
}

/** A turn that brings less than this part of what is there brings hardly more of those who were answered at once. */
export const GROWTH_MIN = 1 / 8;

/**
 * Decides whether writes that wait are worth another turn before they become one batch. Clients that were answered together come again one
 * by one, over a few turns: a batch for each turn costs the disk and the other members as often. With one backup and 50 clients 40 writes share
 * a batch where it was 22, for a third more throughput; four clients of a node by itself write half as much again.
 */
export class Gathering {
  #bytes = 0;
  #sinceMs: number | undefined;

  /**
   * Called once a turn.
   *
   * @param bytes - of all the writes that wait, those of the turns before included.
   * @param gatheredMsMax - from the first of these calls on; 0 for those that have nothing to wait for.
   */
  isWorthATurn(bytes: number, nowMs: number, gatheredMsMax: number): boolean {
    this.#sinceMs ??= nowMs;
    const hasGrown = bytes - this.#bytes > GROWTH_MIN * bytes;
    this.#bytes = bytes;
    if (hasGrown && nowMs - this.#sinceMs < gatheredMsMax) return true;
    this.#bytes = 0;
    this.#sinceMs = undefined;
    return false;
  }
}
