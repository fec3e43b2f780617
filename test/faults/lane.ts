import type { Socket } from 'node:net';

/** What happens to the bytes that go one way between two nodes. */
export interface Impairment {
  /**
   * `held`: nothing is taken from the sender any more, and what is on its way arrives later, as where packets are lost and
   * sent again. `swallowed`: it is taken and thrown away, so that the sender notices nothing.
   */
  readonly flow: 'free' | 'held' | 'swallowed';
  readonly delayMs: number;
  /** The most that is passed on at once; the next piece follows in a later turn. Infinity: as it comes. */
  readonly pieceBytesMax: number;
}

export const UNIMPAIRED: Impairment = { flow: 'free', delayMs: 0, pieceBytesMax: Infinity };

/** What one direction of a connection holds at most. Behind that the sender's own buffers fill. */
export const WAITING_BYTES_MAX = 1024 * 1024;

/** One direction of one connection: bytes from a source to a sink, in order, with what is done to them. */
export class Lane {
  /** Bytes were thrown away: what follows them would make no sense. */
  hasGap = false;
  readonly #source: Socket;
  readonly #sink: Socket;
  #impairment: Impairment;
  #waiting: { readonly bytes: Buffer; readonly dueMs: number }[] = [];
  #waitingBytes = 0;
  #hasEnded = false;
  #isGone = false;
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;

  /** @param first - bytes that were read from the source already. */
  constructor(source: Socket, sink: Socket, impairment: Impairment, first: Buffer) {
    this.#source = source;
    this.#sink = sink;
    this.#impairment = impairment;
    source.on('data', (chunk: Buffer) => this.#take(chunk));
    source.on('end', () => {
      this.#hasEnded = true;
      this.#pass();
    });
    source.on('close', () => {
      this.#isGone = true;
      this.#pass();
    });
    sink.on('drain', () => this.#pass());
    this.#hasEnded = source.readableEnded;
    if (first.length > 0) this.#take(first);
    this.#pass();
  }

  /** What waits in here at this moment. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  impair(impairment: Impairment): void {
    this.#impairment = impairment;
    this.#pass();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
    this.#waiting = [];
  }

  #take(bytes: Buffer): void {
    const { flow, delayMs } = this.#impairment;
    if (flow === 'swallowed') {
      this.hasGap = true;
      return;
    }
    this.#waiting.push({ bytes, dueMs: performance.now() + delayMs });
    this.#waitingBytes += bytes.length;
    this.#pass();
  }

  /** Passes on what is due, and looks again when more is. */
  #pass(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
    const { flow, pieceBytesMax } = this.#impairment;
    while (flow === 'free' && !this.#sink.writableNeedDrain) {
      const next = this.#waiting[0];
      if (next === undefined || this.#sink.destroyed) break;
      const waitMs = next.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pass(), waitMs);
        break;
      }
      this.#send(next, pieceBytesMax);
      if (pieceBytesMax === Infinity) continue;
      this.#turn = setImmediate(() => this.#pass());
      break;
    }
    this.#flowOn(flow);
  }

  #send(next: { readonly bytes: Buffer; readonly dueMs: number }, pieceBytesMax: number): void {
    const piece = next.bytes.subarray(0, pieceBytesMax);
    const rest = next.bytes.subarray(piece.length);
    if (rest.length > 0) this.#waiting[0] = { bytes: rest, dueMs: next.dueMs };
    else this.#waiting.shift();
    this.#waitingBytes -= piece.length;
    this.#sink.write(piece);
  }

  /** Takes more from the source or not, and tells the sink of its end once everything before it was passed on. */
  #flowOn(flow: Impairment['flow']): void {
    const isFull = this.#waitingBytes >= WAITING_BYTES_MAX;
    if (flow === 'held' || isFull) this.#source.pause();
    else this.#source.resume();
    // Where nothing passes, not even the end of a connection does.
    if (flow !== 'free' || this.#waiting.length > 0 || this.hasGap) return;
    if (this.#isGone) this.#sink.destroySoon();
    else if (this.#hasEnded) this.#sink.end();
  }
}
