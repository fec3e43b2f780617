/** Runs one piece of work after the other, in the order asked. */
export class Exclusive {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const running = this.#last.then(work);
    // Who asked is told of a failure; it is nothing to whoever comes next.
    this.#last = running.catch(() => undefined);
    return running;
  }
}
