import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Address } from '../../client/address.js';
import { readReply } from '../../client/reply.js';
import type { ErrorReply } from '../../client/reply.js';
import type { Clock } from '../../clock.js';
import { RespReplyReader } from '../../protocol/resp-reply-reader.js';
import type { MalformedReply, RespReply } from '../../protocol/resp-reply-reader.js';
import type { Pace } from './pace.js';
import { RequestWriter } from './request-writer.js';
import type { Workload } from './workload.js';

/** What is told of each answer. No object is made for one: there may be a million a second. */
export interface AnswerObserver {
  read(latencyMs: number, isFound: boolean): void;
  written(latencyMs: number): void;
  refused(reply: ErrorReply): void;
  /** Told behind the answers that came together. */
  heard(nowMs: number): void;
  /** Told once, when the connection is of no use any more. The reason is one line, for people. */
  lost(reason: string): void;
}

export interface LoadConnectionParts {
  readonly address: Address;
  /** Which of the clients it is. */
  readonly client: number;
  readonly prefix: string;
  readonly pipeline: number;
  readonly workload: Workload;
  readonly valuePool: Buffer;
  readonly pace: Pace;
  readonly clock: Clock;
  readonly observer: AnswerObserver;
}

/** How a server begins the line that it says to a client too many that has not asked anything. */
const TURNED_AWAY = 'ERROR ';

/**
 * One client that only makes load. The client library does more for each call (a promise, a deadline, an error with a trace),
 * which costs several times what the server spends on the answer once requests are pipelined.
 *
 * Invariant: replies come in the order of the requests, so the request at `#head` is the one that the next reply belongs to.
 */
export class LoadConnection {
  readonly #parts: LoadConnectionParts;
  readonly #socket: Socket;
  readonly #reader = new RespReplyReader();
  readonly #writer: RequestWriter;
  /** Of the requests under way, `#count` of them from `#head` on: when they were to begin, and whether they read. */
  readonly #startsMs: Float64Array;
  readonly #reads: Uint8Array;
  #head = 0;
  #count = 0;
  #heardMs: number;
  #isOpen = false;
  /** Nothing was heard yet. */
  #isFresh = true;
  #isOver = false;
  /** The error that the server answered last, and nothing else behind it: it may say why it hangs up. */
  #lastError: string | undefined;

  constructor(parts: LoadConnectionParts) {
    this.#parts = parts;
    this.#writer = new RequestWriter(parts.prefix);
    this.#startsMs = new Float64Array(parts.pipeline);
    this.#reads = new Uint8Array(parts.pipeline);
    this.#heardMs = parts.clock.nowMs();
    const { host, port } = parts.address;
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket
      .on('connect', () => {
        this.#isOpen = true;
        this.begin();
      })
      .on('data', (chunk: Buffer) => {
        this.#arrived(chunk);
      })
      .on('error', (error: NodeJS.ErrnoException) => {
        this.#lose(`a connection broke (${error.code ?? error.message})`);
      })
      .on('close', () => {
        this.#lose('the server closed a connection');
      });
  }

  /** Nothing is under way on it. */
  get isIdle(): boolean {
    return this.#count === 0;
  }

  /** Begins whatever is due and has room. */
  begin(): void {
    if (!this.#isOpen || this.#isOver) return;
    const { clock, pace, pipeline, client } = this.#parts;
    const nowMs = clock.nowMs();
    if (this.#count === 0) this.#heardMs = nowMs;
    while (this.#count < pipeline) {
      const startMs = pace.next(client, nowMs);
      if (startMs === undefined) break;
      this.#add(startMs);
    }
    if (this.#writer.length === 0) return;
    this.#socket.write(this.#writer.peek());
    this.#writer.taken(this.#socket.writableLength > 0);
  }

  /** Gives the connection up when the server owes something and has been silent for too long. */
  checkSilence(nowMs: number, silenceMsMax: number): void {
    if ((this.#isOpen && this.#count === 0) || nowMs - this.#heardMs < silenceMsMax) return;
    this.#lose(`the server sent nothing for ${String(silenceMsMax / 1000)} s`);
  }

  close(): void {
    this.#isOver = true;
    this.#socket.destroy();
  }

  #add(startMs: number): void {
    const { workload, valuePool, pipeline } = this.#parts;
    workload.next();
    const at = (this.#head + this.#count) % pipeline;
    this.#startsMs[at] = startMs;
    this.#reads[at] = workload.isRead ? 1 : 0;
    this.#count++;
    if (workload.isRead) this.#writer.get(workload.keyIndex);
    else this.#writer.put(workload.keyIndex, valuePool, workload.valueOffset, workload.valueBytes);
  }

  #arrived(chunk: Buffer): void {
    if (this.#isOver) return;
    const nowMs = this.#parts.clock.nowMs();
    this.#heardMs = nowMs;
    if (this.#isFresh && chunk.toString('latin1', 0, TURNED_AWAY.length) === TURNED_AWAY) {
      this.#lose(chunk.toString('utf8', TURNED_AWAY.length).trim());
      return;
    }
    this.#isFresh = false;
    this.#reader.feed(chunk);
    for (let reply = this.#reader.next(); reply !== undefined; reply = this.#reader.next()) {
      if (reply.kind === 'malformed') {
        this.#lose(notOurs(reply));
        return;
      }
      if (this.#count === 0) this.#unasked(reply);
      else this.#answered(reply, nowMs);
    }
    this.begin();
    this.#parts.observer.heard(nowMs);
  }

  #answered(reply: RespReply, nowMs: number): void {
    const { observer, pipeline } = this.#parts;
    const latencyMs = nowMs - (this.#startsMs[this.#head] ?? nowMs);
    const isRead = this.#reads[this.#head] === 1;
    this.#head = (this.#head + 1) % pipeline;
    this.#count--;
    if (reply.kind === 'error') {
      this.#refused(reply);
      return;
    }
    this.#lastError = undefined;
    if (isRead) observer.read(latencyMs, reply.kind !== 'null');
    else observer.written(latencyMs);
  }

  #refused(reply: RespReply): void {
    const read = readReply(reply);
    if (read.kind !== 'error') return;
    this.#lastError = `${read.message} (${read.code})`;
    this.#parts.observer.refused(read);
  }

  /** A server speaks unasked only to say why it hangs up. */
  #unasked(reply: RespReply): void {
    const read = readReply(reply);
    this.#lastError = read.kind === 'error' ? `${read.message} (${read.code})` : undefined;
  }

  #lose(reason: string): void {
    if (this.#isOver) return;
    this.close();
    const said = this.#lastError === undefined ? '' : `; it said before: ${this.#lastError}`;
    this.#parts.observer.lost(`${reason}${said}`);
  }
}

function notOurs({ message }: MalformedReply): string {
  return `what answers does not speak this protocol (${message})`;
}
