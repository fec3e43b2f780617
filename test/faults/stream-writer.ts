import net from 'node:net';
import { Asking, isWholeList } from './asking.js';

const WINDOW = 64;
const KEYS = 16;
const PADDING = 'x'.repeat(64);
const READ_MS_MAX = 4000;

/**
 * One connection that puts ever higher numbers to keys of its own, many under way at a time, until it is refused or broken. Its
 * requests take effect in the order sent, so at any later time there is one place up to which all are done and
 * behind which none is, and everything that was acknowledged lies before it.
 */
export class StreamWriter {
  readonly #name: string;
  readonly #socket: net.Socket;
  readonly #refused = new Set<number>();
  #sent = 0;
  #answered = 0;
  #acknowledged = 0;
  #lastAcknowledged = -1;
  /** The place that was found when it was last looked for. */
  #place = -1;
  #rest = '';
  #isSending = true;

  constructor(name: string, address: string) {
    this.#name = name;
    const at = address.lastIndexOf(':');
    this.#socket = net.connect({
      port: Number(address.slice(at + 1)),
      host: address.slice(0, at),
      noDelay: true,
    });
    this.#socket.setEncoding('latin1');
    this.#socket.on('connect', () => this.#fill());
    this.#socket.on('data', (text: string) => this.#receive(text));
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => (this.#isSending = false));
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** What was sent and neither acknowledged nor refused. */
  get unknown(): number {
    return this.#sent - this.#acknowledged - this.#refused.size;
  }

  get hasSent(): boolean {
    return this.#sent > 0;
  }

  get isOver(): boolean {
    return !this.#isSending;
  }

  stop(): void {
    this.#isSending = false;
    this.#socket.destroy();
  }

  /**
   * Holds what a store has against what was acknowledged, after this connection is over.
   *
   * @returns false when the node does not answer.
   */
  async check(asking: Asking): Promise<boolean> {
    const keys = Array.from({ length: KEYS }, (_, at) => this.#key(at));
    const answers = await asking.ask([`MGET ${keys.join(' ')}`], READ_MS_MAX, isWholeList);
    if (answers === undefined || answers[0]?.startsWith('ERROR ') === true) return false;
    const found = answers
      .slice(0, KEYS)
      .map((value) => (value === 'NULL' ? -1 : Number(value.split(':')[0])));
    const place = Math.max(...found);
    const least = Math.max(this.#lastAcknowledged, this.#place);
    if (!(place >= least))
      throw new Error(
        `${this.#name}: lost, ${String(least)} was there or acknowledged, and ${String(place)} is the last`,
      );
    if (place >= this.#sent) throw new Error(`${this.#name}: ${String(place)} was never sent`);
    for (const [at, number] of found.entries()) {
      if (number === this.#lastOf(at, place)) continue;
      const expected = String(this.#lastOf(at, place));
      throw new Error(
        `${this.#key(at)} is ${String(number)} and not ${expected}, with everything up to ${String(place)} done`,
      );
    }
    this.#place = place;
    return true;
  }

  #key(at: number): string {
    return `${this.#name}-${String(at)}`;
  }

  /** The last number that was put to a key and is done, when everything up to a place is. */
  #lastOf(at: number, place: number): number {
    let last = place - ((((place - at) % KEYS) + KEYS) % KEYS);
    while (last >= 0 && this.#refused.has(last)) last -= KEYS;
    return Math.max(last, -1);
  }

  #fill(): void {
    let lines = '';
    while (this.#isSending && this.#sent - this.#answered < WINDOW) {
      lines += `PUT ${this.#key(this.#sent % KEYS)} ${String(this.#sent)}:${PADDING}\n`;
      this.#sent++;
    }
    if (lines !== '') this.#socket.write(lines);
  }

  #receive(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#take(line, this.#answered++);
    if (this.#isSending) this.#fill();
    else if (this.#answered === this.#sent) this.#socket.destroy();
  }

  #take(answer: string, number: number): void {
    if (answer === 'OK') {
      this.#acknowledged++;
      this.#lastAcknowledged = number;
      return;
    }
    this.#isSending = false;
    if (!answer.startsWith('ERROR UNCONFIRMED ')) this.#refused.add(number);
  }
}

/** Several of them at a time, each followed by another one when it is over. */
export class Streams {
  readonly #name: string;
  readonly #count: number;
  #current: StreamWriter[] = [];
  readonly #past: StreamWriter[] = [];
  #made = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(name: string, count: number) {
    this.#name = name;
    this.#count = count;
  }

  get acknowledged(): number {
    return this.#all.reduce((sum, writer) => sum + writer.acknowledged, 0);
  }

  get unknown(): number {
    return this.#all.reduce((sum, writer) => sum + writer.unknown, 0);
  }

  get #all(): StreamWriter[] {
    return [...this.#past, ...this.#current];
  }

  /** Writes there until it is told to stop or to write elsewhere. */
  writeTo(address: string): void {
    this.stop();
    const renew = (): void => {
      const over = this.#current.filter(({ isOver }) => isOver);
      // What is answered while the store is looked at would be taken for something that must be there.
      for (const writer of over) writer.stop();
      this.#past.push(...over.filter(({ hasSent }) => hasSent));
      this.#current = this.#current.filter(({ isOver }) => !isOver);
      while (this.#current.length < this.#count) {
        this.#current.push(new StreamWriter(`${this.#name}-${String(this.#made++)}`, address));
      }
    };
    renew();
    this.#timer = setInterval(renew, 100);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const writer of this.#current) writer.stop();
    this.#past.push(...this.#current.filter(({ hasSent }) => hasSent));
    this.#current = [];
  }

  /** Throws when something is missing. False when the node does not answer. @param newest - only so many of the last ones. */
  async check(address: string, newest = Infinity): Promise<boolean> {
    const asking = await Asking.open(address, READ_MS_MAX);
    if (asking === undefined) return false;
    try {
      for (const writer of this.#past.slice(-Math.min(newest, this.#past.length))) {
        if (!(await writer.check(asking))) return false;
      }
      return true;
    } finally {
      asking.close();
    }
  }
}
