import net from 'node:net';

/** A raw connection, as netcat has it: bytes out, bytes in. */
export class Conversation {
  readonly socket: net.Socket;
  #chunks: Buffer[] = [];
  #isClosed = false;
  #wake: () => void = () => undefined;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#isClosed = true;
      this.#wake();
    });
  }

  static open(address: string): Promise<Conversation> {
    const at = address.lastIndexOf(':');
    const socket = net.connect({
      host: address.slice(0, at),
      port: Number(address.slice(at + 1)),
      allowHalfOpen: true,
    });
    const conversation = new Conversation(socket);
    return new Promise((resolve, reject) => {
      socket.once('connect', () => resolve(conversation));
      socket.once('error', reject);
    });
  }

  get received(): string {
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all.toString('latin1');
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  send(bytes: string | Buffer): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  /** Ends this side; the other may still answer. */
  end(bytes = ''): void {
    this.socket.end(Buffer.from(bytes, 'latin1'));
  }

  /** Everything received so far, once `enough` says so. The test's own time limit bounds the wait. */
  async until(enough: (received: string) => boolean): Promise<string> {
    while (!enough(this.received)) {
      if (this.#isClosed) throw new Error(`closed after ${JSON.stringify(this.received.slice(-200))}`);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.received;
  }

  /** Everything received, once there are that many lines. */
  lines(count: number): Promise<string[]> {
    return this.until((received) => received.split('\n').length > count).then((all) =>
      all.split('\n').slice(0, -1),
    );
  }

  /** Everything received, once the other side has closed. */
  async toTheEnd(): Promise<string> {
    this.socket.once('end', () => this.socket.end());
    if (this.socket.readableEnded) this.socket.end();
    while (!this.#isClosed) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.received;
  }
}

/** Sends bytes and the end of the stream, and answers all that comes back. */
export async function talk(address: string, bytes: string | Buffer): Promise<string> {
  const conversation = await Conversation.open(address);
  conversation.send(bytes);
  conversation.end();
  return conversation.toTheEnd();
}
