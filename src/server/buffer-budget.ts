/** Everything that waits in buffers, over all connections together. */
export class BufferBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isExceeded(): boolean {
    return this.#bytes > this.#bytesMax;
  }

  /** Counts bytes that came to wait, or, negative, that wait no more. */
  change(bytes: number): void {
    this.#bytes += bytes;
  }
}
