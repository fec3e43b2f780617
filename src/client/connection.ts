import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Cancel, Clock } from '../clock.js';
import { showAddress } from '../protocol/address.js';
import type { Address } from '../protocol/address.js';
import { RespReplyReader } from '../protocol/resp-reply-reader.js';
import type { MalformedReply, RespReply } from '../protocol/resp-reply-reader.js';
import type { Call, Place } from './call.js';
import type { KvErrorCode } from './errors.js';
import { readReply } from './reply.js';
import type { ErrorReply, KvReply } from './reply.js';

/** Requests leave in writes of about so many bytes: copying more costs more than it saves. */
const WRITE_BYTES_MAX = 256 * 1024;

/** A call that waited for the whole time learns of it a little before or after it was sent for that long. */
const SILENCE_TOLERANCE = 0.9;

export interface ConnectionOptions {
  readonly address: Address;
  readonly clock: Clock;
  /** How long connecting may take. */
  readonly connectMsMax: number;
  /** How long a server that owes replies may about send nothing. */
  readonly silenceMsMax: number;
  /** Called once, before the calls that it held end. Nothing may be added afterwards. */
  readonly lost: (connection: Connection, loss: Loss) => void;
  /** Called for each call that was added and not removed, when it is here no more. */
  readonly ended: (call: Call, ending: Ending) => void;
}

/** Why a connection is over. */
export interface Loss {
  readonly code: KvErrorCode;
  readonly message: string;
  readonly cause?: unknown;
}

/** What became of a call on a connection. */
export type Ending =
  | { readonly kind: 'answered'; readonly reply: KvReply | ErrorReply }
  | { readonly kind: 'lost'; readonly loss: Loss };

type State = 'connecting' | 'open' | 'lost';

/**
 * One TCP connection on which many calls are under way at once.
 *
 * Invariant: `#unanswered` then `#unsent` hold every call in the order added, and replies come in that order, so the
 * head of `#unanswered` is the one that the next reply belongs to. Nothing is handed to the socket while it still holds
 * what the network did not take: so a call that the network has no room for counts as not sent.
 */
export class Connection implements Place {
  readonly #options: ConnectionOptions;
  readonly #name: string;
  readonly #socket: Socket;
  readonly #reader = new RespReplyReader();
  readonly #connectTimer: Cancel;
  #state: State = 'connecting';
  readonly #unsent = new Set<Call>();
  /** From `#head` on; what lies before it is done and swept now and then. */
  #unanswered: Call[] = [];
  #head = 0;
  /** Bytes of the requests that wait to be sent or answered. */
  #requestBytes = 0;
  #isFlushDue = false;
  #isInUse = true;
  /** When bytes last arrived, or replies began to be owed. */
  #heardMs: number;
  /** What the server said unasked, right before it hung up. */
  #farewell: Loss | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#name = showAddress(options.address);
    this.#heardMs = options.clock.nowMs();
    this.#socket = connect({ host: options.address.host, port: options.address.port, noDelay: true });
    this.#connectTimer = options.clock.after(options.connectMsMax, () => {
      const seconds = String(options.connectMsMax / 1000);
      const message = `${this.#name} does not answer within ${seconds} s: check the address and the network`;
      this.#lose({ code: 'UNREACHABLE', message });
    });
    this.#socket
      .on('connect', () => this.#opened())
      .on('data', (chunk) => this.#arrived(chunk))
      .on('drain', () => this.#flush())
      .on('end', () => this.#lose(this.#farewell ?? this.#hungUp()))
      .on('error', (cause: Error) => this.#lose(this.#farewell ?? this.#broken(cause)))
      .on('close', () => this.#lose(this.#hungUp()));
  }

  /** Bytes that stand between a new call and its reply, as far as they are known. */
  get load(): number {
    return this.#requestBytes + this.#reader.partialBytes;
  }

  get #isOpen(): boolean {
    return this.#state === 'open';
  }

  get isIdle(): boolean {
    return this.#unsent.size === 0 && this.#head === this.#unanswered.length;
  }

  get trouble(): string | undefined {
    return this.#state === 'connecting' ? `${this.#name} was not reached yet` : undefined;
  }

  add(call: Call): void {
    call.place = this;
    this.#unsent.add(call);
    this.#requestBytes += call.request.bytes.length;
    if (this.#state === 'open') this.#flushLater();
  }

  remove(call: Call): void {
    if (this.#unsent.delete(call)) this.#requestBytes -= call.request.bytes.length;
  }

  /**
   * Whether anybody waits for a call. An idle connection does not keep the process alive, and an attempt to
   * connect on which nothing is to be sent any more ends.
   */
  setInUse(isInUse: boolean): void {
    this.#isInUse = isInUse;
    if (!isInUse && this.#state === 'connecting' && this.isIdle) this.close();
    else if (this.#state !== 'lost') this.#holdProcess();
  }

  /**
   * Gives the connection up if the server owes replies and has been silent for too long: for longer than any call
   * that is still awaited allows for.
   */
  checkSilence(): void {
    if (this.#state !== 'open' || this.#head === this.#unanswered.length) return;
    const awaited = this.#unanswered.slice(this.#head).filter((call) => !call.isSettled);
    const allowedMs = awaited.reduce(
      (most, call) => Math.max(most, call.timeoutMs),
      this.#options.silenceMsMax,
    );
    const silentMs = this.#options.clock.nowMs() - this.#heardMs;
    if (silentMs < allowedMs * SILENCE_TOLERANCE) return;
    const seconds = String(allowedMs / 1000);
    this.#lose({ code: 'CONNECTION_LOST', message: `${this.#name} sent nothing for ${seconds} s` });
  }

  /** Ends the connection; every call under way ends with `CLOSED`. */
  close(): void {
    this.#lose({ code: 'CLOSED', message: 'the client was closed' });
  }

  #opened(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'open';
    this.#connectTimer.cancel();
    this.#holdProcess();
    this.#flush();
  }

  #holdProcess(): void {
    if (this.#isInUse) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Everything that is asked in this turn leaves with one write. */
  #flushLater(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    this.#options.clock.nextTurn(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  #flush(): void {
    while (this.#state === 'open' && this.#unsent.size > 0 && !this.#socket.writableNeedDrain) {
      const requests: Buffer[] = [];
      let bytes = 0;
      if (this.#head === this.#unanswered.length) this.#heardMs = this.#options.clock.nowMs();
      for (const call of this.#unsent) {
        const { length } = call.request.bytes;
        if (bytes > 0 && bytes + length > WRITE_BYTES_MAX) break;
        this.#unsent.delete(call);
        call.leave();
        this.#unanswered.push(call);
        requests.push(call.request.bytes);
        bytes += length;
      }
      const [only = Buffer.alloc(0)] = requests;
      this.#socket.write(requests.length === 1 ? only : Buffer.concat(requests, bytes));
    }
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
      this.#head++;
      this.#sweep();
      this.#end(call, { kind: 'answered', reply: readReply(found) });
    }
    if (this.#isOpen && this.#reader.hasUnread) this.#unasked(this.#reader.next());
  }

  #end(call: Call, ending: Ending): void {
    this.#requestBytes -= call.request.bytes.length;
    call.comeBack();
    this.#options.ended(call, ending);
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
    const calls = [...this.#unanswered.slice(this.#head), ...this.#unsent];
    this.#unanswered = [];
    this.#head = 0;
    this.#unsent.clear();
    this.#options.lost(this, loss);
    for (const call of calls) {
      call.place = undefined;
      this.#end(call, { kind: 'lost', loss });
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

function systemCode(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
