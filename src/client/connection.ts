import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../clock.js';
import { showAddress } from '../protocol/address.js';
import type { Address } from '../protocol/address.js';
import { RespReplyReader } from '../protocol/resp-reply-reader.js';
import type { MalformedReply, RespReply } from '../protocol/resp-reply-reader.js';
import type { Call } from './call.js';
import { KvError } from './errors.js';
import { readReply } from './reply.js';
import type { ErrorReply } from './reply.js';

/** Requests up to this many bytes together are copied into one buffer; beyond, copying costs more than it saves. */
const COPIED_BYTES_MAX = 256 * 1024;

/** A call that waited for the whole time learns of it a little before or after it was sent for that long. */
const SILENCE_TOLERANCE = 0.9;

export interface ConnectionOptions {
  readonly address: Address;
  readonly clock: Clock;
  /** How long connecting may take, and how long a server that owes replies may about send nothing. */
  readonly silenceMsMax: number;
  /** Called once, before the calls under way fail. Nothing may be added afterwards. */
  readonly lost: (connection: Connection) => void;
  /** Called for each call when its place in the queue is free again, answered or not. */
  readonly released: (call: Call) => void;
  /**
   * Takes a call that was refused with `NOT_PRIMARY` to another node, if it can, before its place is free. Otherwise the
   * refusal is the call's outcome.
   */
  readonly sendOn: (call: Call, message: string) => boolean;
}

type State = 'connecting' | 'open' | 'lost';

interface Loss {
  readonly code: 'UNREACHABLE' | 'CONNECTION_LOST' | 'BAD_REPLY' | 'CLOSED' | (string & Record<never, never>);
  readonly message: string;
  readonly cause?: unknown;
}

/**
 * One TCP connection on which many calls are under way at once.
 *
 * Invariant: `#unsent` then `#unanswered` hold every call in the order made, and replies come in that order, so the
 * head of `#unanswered` is the one that the next reply belongs to.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #name: string;
  readonly #socket: Socket;
  readonly #reader = new RespReplyReader();
  readonly #connectTimer: Cancel;
  #state: State = 'connecting';
  #unsent: Call[] = [];
  /** From `#head` on; what lies before it is done and swept now and then. */
  #unanswered: Call[] = [];
  #head = 0;
  #flushDue = false;
  #inUse = true;
  /** When bytes last arrived, or replies began to be owed. */
  #heardMs: number;
  /** What the server said unasked, right before it hung up. */
  #farewell: Loss | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#name = showAddress(options.address);
    this.#heardMs = options.clock.nowMs();
    this.#socket = connect({ host: options.address.host, port: options.address.port, noDelay: true });
    this.#connectTimer = options.clock.after(options.silenceMsMax, () => {
      const seconds = String(options.silenceMsMax / 1000);
      const message = `${this.#name} does not answer within ${seconds} s: check the address and the network`;
      this.#lose({ code: 'UNREACHABLE', message });
    });
    this.#socket
      .on('connect', () => this.#opened())
      .on('data', (chunk) => this.#arrived(chunk))
      .on('end', () => this.#lose(this.#farewell ?? this.#hungUp()))
      .on('error', (cause: Error) => this.#lose(this.#farewell ?? this.#broken(cause)))
      .on('close', () => this.#lose(this.#hungUp()));
  }

  add(call: Call): void {
    this.#unsent.push(call);
    if (this.#state === 'open') this.#flushLater();
  }

  /**
   * Whether anybody waits for a call. An idle connection does not keep the process alive, and an attempt to
   * connect that nobody waits for any more ends.
   */
  setInUse(inUse: boolean): void {
    this.#inUse = inUse;
    if (this.#state === 'open') this.#holdProcess();
    else if (!inUse && this.#state === 'connecting') this.close();
  }

  /**
   * Gives the connection up if the server owes replies and has been silent for too long: for longer than any call
   * that is still awaited allows for.
   */
  checkSilence(): void {
    if (this.#state !== 'open' || this.#head === this.#unanswered.length) return;
    const awaited = this.#unanswered.slice(this.#head).filter((call) => !call.settled);
    const allowedMs = awaited.reduce(
      (most, call) => Math.max(most, call.timeoutMs),
      this.#options.silenceMsMax,
    );
    const silentMs = this.#options.clock.nowMs() - this.#heardMs;
    if (silentMs < allowedMs * SILENCE_TOLERANCE) return;
    const seconds = String(allowedMs / 1000);
    this.#lose({ code: 'CONNECTION_LOST', message: `${this.#name} sent nothing for ${seconds} s` });
  }

  /** Ends the connection; every call under way fails with `CLOSED`. */
  close(): void {
    this.#lose({ code: 'CLOSED', message: 'the client was closed' });
  }

  #opened(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'open';
    this.#connectTimer.cancel();
    this.#heardMs = this.#options.clock.nowMs();
    this.#holdProcess();
    this.#flush();
  }

  #holdProcess(): void {
    if (this.#inUse) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Everything that is asked in this turn leaves with one write. */
  #flushLater(): void {
    if (this.#flushDue) return;
    this.#flushDue = true;
    this.#options.clock.nextTurn(() => {
      this.#flushDue = false;
      if (this.#state === 'open') this.#flush();
    });
  }

  #flush(): void {
    const due = this.#unsent;
    this.#unsent = [];
    const requests: Buffer[] = [];
    let bytes = 0;
    if (this.#head === this.#unanswered.length) this.#heardMs = this.#options.clock.nowMs();
    for (const call of due) {
      if (call.settled) {
        this.#options.released(call);
        continue;
      }
      call.sent = true;
      this.#unanswered.push(call);
      requests.push(call.request.bytes);
      bytes += call.request.bytes.length;
    }
    if (bytes <= COPIED_BYTES_MAX) {
      if (bytes > 0) this.#socket.write(Buffer.concat(requests, bytes));
      return;
    }
    this.#socket.cork();
    for (const request of requests) this.#socket.write(request);
    this.#socket.uncork();
  }

  #arrived(chunk: Buffer): void {
    if (this.#state === 'lost') return;
    this.#heardMs = this.#options.clock.nowMs();
    this.#reader.feed(chunk);
    for (let call = this.#unanswered[this.#head]; call !== undefined; call = this.#unanswered[this.#head]) {
      const found = this.#reader.next();
      if (found === undefined) return;
      if (found.kind === 'malformed') {
        this.#lose(this.#notOurs(found.message));
        return;
      }
      const reply = readReply(found);
      this.#head++;
      this.#sweep();
      const isElsewhere =
        reply.kind === 'error' && reply.code === 'NOT_PRIMARY' && this.#options.sendOn(call, reply.message);
      this.#options.released(call);
      if (!isElsewhere) call.settle(reply.kind === 'error' ? refusedBy(reply, call) : reply);
    }
    if (this.#reader.hasUnread) this.#unasked(this.#reader.next());
  }

  /** A server speaks unasked only to say why it hangs up. */
  #unasked(found: RespReply | MalformedReply | undefined): void {
    if (found === undefined) return;
    if (found.kind === 'malformed') {
      this.#lose(this.#notOurs(found.message));
      return;
    }
    const reply = readReply(found);
    if (reply.kind === 'error') this.#farewell = { code: reply.code, message: reply.message };
    else this.#lose(this.#notOurs('a reply came that nobody asked for'));
  }

  #sweep(): void {
    if (this.#head === this.#unanswered.length) this.#unanswered = [];
    else if (this.#head < 1024 || this.#head * 2 < this.#unanswered.length) return;
    else this.#unanswered = this.#unanswered.slice(this.#head);
    this.#head = 0;
  }

  #lose(loss: Loss): void {
    if (this.#state === 'lost') return;
    this.#state = 'lost';
    this.#connectTimer.cancel();
    this.#socket.destroy();
    this.#options.lost(this);
    const calls = [...this.#unanswered.slice(this.#head), ...this.#unsent];
    this.#unanswered = [];
    this.#unsent = [];
    this.#head = 0;
    for (const call of calls) {
      this.#options.released(call);
      call.fail(loss.code, loss.message, loss.cause);
    }
  }

  #hungUp(): Loss {
    return { code: 'CONNECTION_LOST', message: `${this.#name} closed the connection` };
  }

  #broken(cause: Error): Loss {
    const reason = systemCode(cause);
    if (this.#state === 'open') {
      return { code: 'CONNECTION_LOST', message: `the connection to ${this.#name} broke (${reason})`, cause };
    }
    const message =
      reason === 'ECONNREFUSED'
        ? `nothing listens at ${this.#name}: start a server there, or name another address`
        : `${this.#name} cannot be reached (${reason}): check the address and the network`;
    return { code: 'UNREACHABLE', message, cause };
  }

  #notOurs(reason: string): Loss {
    const message = `what answers at ${this.#name} does not speak this protocol (${reason}): check the address`;
    return { code: 'BAD_REPLY', message };
  }
}

function refusedBy(reply: ErrorReply, call: Call): KvError {
  const outcomeUnknown = call.request.effect !== 'reads' && reply.code === 'UNCONFIRMED';
  return new KvError(reply.code, reply.message, { outcomeUnknown, answered: true });
}

function systemCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
