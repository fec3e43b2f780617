import { once } from 'node:events';
import net from 'node:net';
import type { Endpoint } from './server-process.js';

const LINE_FEED = 10;
const MINUS = '-'.charCodeAt(0);
/** What is sent and not answered; a request that is larger travels alone. */
const WINDOW_BYTES = 4 * 1024 * 1024;

interface Sent {
  readonly bytes: number;
  lines: number;
}

/**
 * A client that pipelines requests and counts the lines of their answers. It keeps none of them, and takes the first
 * error for the end: what a bench asks for is never refused.
 */
export class BulkClient {
  readonly #socket: net.Socket;
  readonly #sent: Sent[] = [];
  #unansweredBytes = 0;
  #isLineBegun = false;
  #failure: Error | undefined;
  #wake: () => void = () => undefined;
  #woken: Promise<void> = Promise.resolve();

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#take(chunk);
    });
    socket.on('error', (error) => {
      this.#fail(error);
    });
    socket.on('close', () => {
      this.#fail(new Error('the server closed the connection'));
    });
  }

  static async connect(endpoint: Endpoint): Promise<BulkClient> {
    const socket = net.connect({ host: endpoint.host, port: endpoint.port, noDelay: true });
    await once(socket, 'connect');
    return new BulkClient(socket);
  }

  /** Whether so much is unanswered that `send` waits. */
  get isBusy(): boolean {
    return this.#unansweredBytes >= WINDOW_BYTES;
  }

  /** Sends requests as soon as there is room for them. @param lines - how many lines their answers have. */
  async send(requests: Buffer, lines: number): Promise<void> {
    while (this.isBusy) await this.#change();
    if (this.#failure !== undefined) throw this.#failure;
    this.#sent.push({ bytes: requests.length, lines });
    this.#unansweredBytes += requests.length;
    this.#socket.write(requests);
  }

  /** Resolves when everything that was sent is answered. */
  async answered(): Promise<void> {
    while (this.#sent.length > 0) await this.#change();
  }

  close(): void {
    this.#socket.destroy();
  }

  async #change(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#woken = new Promise((resolve) => (this.#wake = resolve));
    await this.#woken;
  }

  #take(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (!this.#isLineBegun && chunk[at] === MINUS) {
        this.#fail(new Error(`the server answered ${chunk.toString('latin1', at, at + 200)}`));
        return;
      }
      const end = chunk.indexOf(LINE_FEED, at);
      this.#isLineBegun = end < 0;
      if (end < 0) break;
      this.#answerLine();
      at = end + 1;
    }
    this.#wake();
  }

  #answerLine(): void {
    const [first] = this.#sent;
    if (first === undefined) return;
    first.lines--;
    if (first.lines > 0) return;
    this.#sent.shift();
    this.#unansweredBytes -= first.bytes;
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#socket.destroy();
    this.#wake();
  }
}
