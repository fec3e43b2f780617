import net from 'node:net';

export type Framing = 'line' | 'resp';

/** One request in a framing. In the line framing each word is quoted unless it is plain. */
export function encode(framing: Framing, words: readonly (string | Buffer)[]): Buffer {
  const bytes = words.map((word) => (typeof word === 'string' ? Buffer.from(word) : word));
  if (framing === 'line') return Buffer.from(`${bytes.map(lineWord).join(' ')}\n`, 'latin1');
  const parts: Buffer[] = [Buffer.from(`*${String(words.length)}\r\n`)];
  for (const word of bytes) parts.push(Buffer.from(`$${String(word.length)}\r\n`), word, Buffer.from('\r\n'));
  return Buffer.concat(parts);
}

function lineWord(word: Buffer): string {
  const text = word.toString('latin1');
  if (text !== '' && !/["\s\\]/.test(text)) return text;
  return `"${text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}"`;
}

const PING = { line: Buffer.from('PING\n'), resp: encode('resp', ['PING']) };
const PONG = { line: Buffer.from('\nPONG\n'), resp: Buffer.from('\r\n+PONG\r\n') };

/** A client that asks for much and keeps nothing of the answers. */
export class Reader {
  readonly #socket: net.Socket;
  readonly framing: Framing;
  /** The end of what arrived, and the beginning for error messages. */
  #tail: Buffer = Buffer.alloc(0);
  #head: Buffer = Buffer.alloc(0);
  #bytes = 0;
  #answered: ((bytes: number) => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  private constructor(socket: net.Socket, framing: Framing) {
    this.#socket = socket;
    this.framing = framing;
    socket.on('data', (chunk) => {
      this.#take(chunk);
    });
    socket.on('error', (error) => this.#failed?.(error));
    socket.on('close', () => this.#failed?.(new Error(`the server closed the connection: ${this.head}`)));
  }

  static connect(host: string, port: number, framing: Framing): Promise<Reader> {
    const socket = net.connect({ host, port, noDelay: true });
    return new Promise((resolve, reject) => {
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Reader(socket, framing));
      });
      socket.once('error', reject);
    });
  }

  /** The first bytes of the last answer. */
  get head(): string {
    return this.#head.toString('latin1');
  }

  /** Sends requests, and resolves with the bytes of their answers once the last one has arrived. */
  ask(requests: Buffer): Promise<number> {
    this.#tail = this.#head = Buffer.alloc(0);
    this.#bytes = 0;
    return new Promise((resolve, reject) => {
      this.#answered = resolve;
      this.#failed = reject;
      this.#socket.write(requests);
      // Its answer shows where the others end, whatever they hold.
      this.#socket.write(PING[this.framing]);
    });
  }

  /** The words of a list that is short enough to be kept, the answer to one request of the line framing. */
  async askForLines(request: Buffer): Promise<string[]> {
    const kept: Buffer[] = [];
    const keep = (chunk: Buffer): void => void kept.push(chunk);
    this.#socket.on('data', keep);
    await this.ask(request);
    this.#socket.off('data', keep);
    return Buffer.concat(kept).toString('latin1').split(/\r?\n/);
  }

  close(): void {
    this.#failed = undefined;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const end = PONG[this.framing];
    this.#bytes += chunk.length;
    if (this.#head.length < 80) this.#head = Buffer.concat([this.#head, chunk.subarray(0, 80)]);
    this.#tail =
      chunk.length >= end.length
        ? chunk.subarray(-end.length)
        : Buffer.concat([this.#tail, chunk]).subarray(-end.length);
    if (!this.#tail.equals(end)) return;
    this.#answered?.(this.#bytes);
  }
}
