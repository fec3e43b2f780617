/**
 * A lock that many readers or one writer may hold.
 *
 * - Free means free at once: `tryRead` and `tryWrite` take it in the same turn, without a promise.
 * - Fair: who waits is served in the order of asking, so that neither readers nor writers starve. A free lock
 *   with somebody waiting is not free to newcomers.
 * - Bounded: at most `waitersMax` wait; one more is turned away.
 */

export class LockQueueFull extends Error {
  constructor(waitersMax: number) {
    super(`${String(waitersMax)} requests wait for the lock already: try again`);
  }
}

interface Waiter {
  readonly writes: boolean;
  grant(): void;
}

const WAITERS_MAX = 100_000;

export class RwLock {
  #readers = 0;
  #writing = false;
  /** Invariant: empty, or its first cannot be served with the lock as it is. */
  readonly #waiters = new Set<Waiter>();
  readonly #waitersMax: number;

  constructor(waitersMax: number = WAITERS_MAX) {
    this.#waitersMax = waitersMax;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * Whether somebody changes what the lock guards. While nobody does, what is read within one turn is of one state without the
   * lock, and keeps nobody waiting.
   */
  get isWritten(): boolean {
    return this.#writing;
  }

  tryRead(): boolean {
    if (this.#writing || this.#waiters.size > 0) return false;
    this.#readers++;
    return true;
  }

  tryWrite(): boolean {
    if (this.#writing || this.#readers > 0 || this.#waiters.size > 0) return false;
    this.#writing = true;
    return true;
  }

  /**
   * Holds the lock for reading once the promise resolves.
   *
   * @throws LockQueueFull, or the signal's reason when it is aborted before; then nothing is held.
   */
  async read(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (!this.tryRead()) await this.#wait(false, signal);
  }

  /** As {@link read}, for writing. */
  async write(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (!this.tryWrite()) await this.#wait(true, signal);
  }

  releaseRead(): void {
    if (this.#readers === 0) throw new Error('the lock is not held for reading');
    this.#readers--;
    this.#serve();
  }

  releaseWrite(): void {
    if (!this.#writing) throw new Error('the lock is not held for writing');
    this.#writing = false;
    this.#serve();
  }

  #wait(writes: boolean, signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiters.size >= this.#waitersMax) return Promise.reject(new LockQueueFull(this.#waitersMax));
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiters.delete(waiter);
        // Whoever stood behind may be servable now: readers behind a writer that gave up.
        this.#serve();
        reject(signal?.reason as Error);
      };
      const waiter: Waiter = {
        writes,
        grant() {
          signal?.removeEventListener('abort', abort);
          resolve();
        },
      };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Takes the lock on behalf of those who wait, first come first served, before any newcomer can. */
  #serve(): void {
    for (const waiter of this.#waiters) {
      if (this.#writing || (waiter.writes && this.#readers > 0)) return;
      if (waiter.writes) this.#writing = true;
      else this.#readers++;
      this.#waiters.delete(waiter);
      waiter.grant();
    }
  }
}
