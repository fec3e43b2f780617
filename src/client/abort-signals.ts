import type { Cancel } from '../clock.js';

/**
 * Listens once to each signal, however many calls share it: Node.js takes many listeners for a leak and warns about them.
 * Nothing is kept of a signal that no call waits with.
 */
export class AbortSignals {
  readonly #works = new Map<AbortSignal, Set<() => void>>();

  /** Does the work when the signal fires, unless it was cancelled. */
  watch(signal: AbortSignal, work: () => void): Cancel {
    const works = this.#works.get(signal) ?? this.#listenTo(signal);
    works.add(work);
    return {
      cancel: () => {
        works.delete(work);
        if (works.size > 0 || this.#works.get(signal) !== works) return;
        this.#works.delete(signal);
        signal.removeEventListener('abort', this.#onAbort);
      },
    };
  }

  #listenTo(signal: AbortSignal): Set<() => void> {
    const works = new Set<() => void>();
    this.#works.set(signal, works);
    signal.addEventListener('abort', this.#onAbort, { once: true });
    return works;
  }

  readonly #onAbort = ({ target }: Event): void => {
    if (!(target instanceof AbortSignal)) return;
    const works = [...(this.#works.get(target) ?? [])];
    this.#works.delete(target);
    for (const work of works) work();
  };
}
