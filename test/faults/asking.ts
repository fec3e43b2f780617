import net from 'node:net';

/** A list is whole with its last line, and an error is one line. */
export function isWholeList(lines: readonly string[]): boolean {
  return lines[0]?.startsWith('ERROR ') === true || lines.at(-1)?.startsWith('END ') === true;
}

/** Asks one thing after the other on one connection, and breaks it where an answer takes too long. */
export class Asking {
  readonly #socket: net.Socket;
  #rest = '';
  #lines: string[] = [];
  #isBroken = false;
  #wake: () => void = () => undefined;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop()!;
      this.#lines.push(...lines);
      this.#wake();
    });
    socket.on('close', () => {
      this.#isBroken = true;
      this.#wake();
    });
  }

  /** Undefined when nobody takes the connection. */
  static async open(address: string, deadlineMs: number): Promise<Asking | undefined> {
    const at = address.lastIndexOf(':');
    const socket = net.connect({
      port: Number(address.slice(at + 1)),
      host: address.slice(0, at),
      noDelay: true,
    });
    socket.on('error', () => undefined);
    const timer = setTimeout(() => socket.destroy(), deadlineMs);
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('close', () => resolve(false));
    });
    clearTimeout(timer);
    return isOpen ? new Asking(socket) : undefined;
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  /**
   * Sends all of the requests at once, and answers their lines.
   *
   * @param isWhole - whether these lines are all that is answered.
   * @returns undefined when the connection broke, or was broken at the deadline.
   */
  async ask(
    requests: readonly string[],
    deadlineMs: number,
    isWhole = (lines: readonly string[]): boolean => lines.length >= requests.length,
  ): Promise<string[] | undefined> {
    if (this.#isBroken) return undefined;
    this.#lines = [];
    this.#socket.write(Buffer.from(requests.map((request) => `${request}\n`).join(''), 'latin1'));
    const timer = setTimeout(() => this.#socket.destroy(), deadlineMs);
    while (!isWhole(this.#lines) && !this.isBroken) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    clearTimeout(timer);
    return isWhole(this.#lines) ? this.#lines : undefined;
  }

  close(): void {
    this.#socket.destroy();
  }
}
