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
/** How often it is looked whether a server that owes replies is silent. */
const WATCH_PERIOD_MS = 100;
/**
 * A server that owes replies and is silent for so long is told of: others may know of another primary. Shorter than any
 * election takes, and longer than a commit usually does.
 */
export const SUSPICIOUS_MS = 400;

export interface ConnectionOptions {
  readonly address: Address;
  readonly clock: Clock;
  /** How long connecting may take. */
  readonly connectMsMax: number;
  /** How long a server that owes replies may about send nothing. */
  readonly silenceMsMax: number;
  /** Whether anybody waits for a call, see {@link Connection.setInUse}. What it is made for is sent either way. */
  readonly isInUse: boolean;
  /** Called once, before the calls that it held end. Nothing may be added afterwards. */
  readonly lost: (connection: Connection, loss: Loss) => void;
  /** Called again and again while a server that owes replies is silent for longer than {@link SUSPICIOUS_MS}. */
  readonly silent: () => void;
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
  /** `hadLeft`: a byte of it may have left on this connection. */
  | { readonly kind: 'lost'; readonly loss: Loss; readonly hadLeft: boolean };

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
  #watch: Cancel | undefined;
  #state: State = 'connecting';
  readonly #unsent = new Set<Call>();
  /** From `#head` on; what lies before it is done and swept now and then. */
  #unanswered: Call[] = [];
  #head = 0;
  /** Bytes of the requests that wait to be sent or answered. */
  #requestBytes = 0;
  /** Whether the reply to what stood in front of the head's request is there. */
  #isPrefaceAnswered = false;
  #isFlushDue = false;
  #isInUse: boolean;
  /** When bytes last arrived, or replies began to be owed. */
  #heardMs: number;
  /** What the server said unasked, right before it hung up. */
  #farewell: Loss | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#name = showAddress(options.address);
    this.#heardMs = options.clock.nowMs();
    this.#isInUse = options.isInUse;
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
    this.#holdProcess();
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

  /** For how long nothing has come although replies are due. */
  get silentMs(): number {
    const isOwed = this.#state === 'open' && this.#head < this.#unanswered.length;
    return isOwed ? this.#options.clock.nowMs() - this.#heardMs : 0;
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
    const { silentMs } = this;
    if (silentMs > 0) this.#checkSilence(silentMs, this.#allowedMs() * SILENCE_TOLERANCE);
  }

  #checkSilence(silentMs: number, allowedMs: number): void {
    if (silentMs < allowedMs) return;
    this.giveUp(`sent nothing for ${String(Math.round(silentMs) / 1000)} s`);
  }

  #allowedMs(): number {
    const { silenceMsMax } = this.#options;
    const patience = this.#unanswered
      .slice(this.#head)
      .filter((call) => !call.isSettled)
      .map((call) => call.patienceMs(silenceMsMax));
    return patience.length === 0 ? silenceMsMax : patience.reduce((a, b) => Math.max(a, b));
  }

  /** Ends the connection as one that is of no use; calls on it may go elsewhere. */
  giveUp(reason: string): void {
    this.#lose({ code: 'CONNECTION_LOST', message: `${this.#name} ${reason}` });
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
        const preface = call.leave();
        this.#unanswered.push(call);
        if (preface !== undefined) {
          requests.push(preface);
          bytes += preface.length;
        }
        requests.push(call.request.bytes);
        bytes += length;
      }
      this.#write(requests, bytes);
    }
    this.#watchSilence();
  }

  /** With one write to the socket. What is large is not copied for that. */
  #write(requests: readonly Buffer[], bytes: number): void {
    const [only] = requests;
    if (only !== undefined && requests.length === 1) {
      this.#socket.write(only);
    } else if (bytes <= WRITE_BYTES_MAX) {
      this.#socket.write(Buffer.concat(requests, bytes));
    } else {
      this.#socket.cork();
      for (const request of requests) this.#socket.write(request);
      this.#socket.uncork();
    }
  }

  /** Looks now and then, for as long as replies are due. */
  #watchSilence(): void {
    if (this.#watch !== undefined || this.#state !== 'open' || this.#head === this.#unanswered.length) return;
    this.#watch = this.#options.clock.after(WATCH_PERIOD_MS, () => {
      this.#watch = undefined;
      const { silentMs } = this;
      if (silentMs >= SUSPICIOUS_MS) {
        // A call whose whole time is over ends by itself first.
        this.#checkSilence(silentMs, this.#allowedMs() + WATCH_PERIOD_MS);
        if (this.#isOpen) this.#options.silent();
      }
      this.#watchSilence();
    });
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
      if (call.ticket !== undefined && !this.#isPrefaceAnswered) {
        // An error there is the answer to the write too.
        this.#isPrefaceAnswered = true;
        continue;
      }
      this.#isPrefaceAnswered = false;
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
    this.#watch?.cancel();
    this.#socket.destroy();
    const [left, unsent] = [this.#unanswered.slice(this.#head), [...this.#unsent]];
    this.#unanswered = [];
    this.#head = 0;
    this.#unsent.clear();
    this.#options.lost(this, loss);
    for (const call of left) this.#end(call, { kind: 'lost', loss, hadLeft: true });
    for (const call of unsent) {
      call.place = undefined;
      this.#end(call, { kind: 'lost', loss, hadLeft: false });
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
