import type { Socket } from 'node:net';
import type { Link, PeerIdentity } from '../node/ports.js';
import type { Message } from '../replication/message.js';
import type { AssemblyBudget } from './assembly-budget.js';
import type { LinkKeys } from './handshake-proofs.js';
import { decodeMessage, encodeMessage, isMessageFault } from './link-codec.js';
import { PartQueue, PartReader } from './link-parts.js';
import type { PartSink } from './link-parts.js';
import { PartSeal } from './part-seal.js';
import { ASK_AFTER_TICKS, SILENT_AFTER_TICKS } from './limits.js';
import type { LinkLimits } from './limits.js';
import { LendingSocket } from './reading.js';

export interface SocketLinkParts {
  readonly socket: Socket;
  readonly peer: PeerIdentity;
  readonly isOutgoing: boolean;
  readonly limits: LinkLimits;
  /** Undefined between nodes that have no secret. */
  readonly keys: LinkKeys | undefined;
  readonly budget: AssemblyBudget;
  received(link: SocketLink, message: Message): void;
  /** Told once, never during a call of `send` or `close`. */
  down(link: SocketLink, end: LinkEnd): void;
}

/** Why a link is down. */
export interface LinkEnd {
  /** One line, for people. */
  readonly reason: string;
  /** The other end sent what no node sends. */
  readonly isViolation: boolean;
}

const KEEP_ALIVE_MS = 10_000;
/** So much is copied to be written in one piece: to write several costs more than that. */
const COPIED_BYTES_MAX = 64 * 1024;

/**
 * A link over TCP, behind its handshake. What is sent gathers until the work of this turn is done, and leaves with one
 * write. While the kernel takes no more it waits here, where short messages go in front.
 */
export class SocketLink implements Link, PartSink {
  readonly peer: PeerIdentity;
  readonly isOutgoing: boolean;
  readonly #parts: SocketLinkParts;
  readonly #queue: PartQueue;
  readonly #reader: PartReader;
  #isClosed = false;
  #reason = 'the other end closed it';
  #isViolation = false;
  #isDownTold = false;
  #isFlushQueued = false;
  /** How often `tick` was called since something arrived. */
  #silentTicks = 0;

  constructor(parts: SocketLinkParts) {
    this.#parts = parts;
    this.peer = parts.peer;
    this.isOutgoing = parts.isOutgoing;
    const { socket, limits, keys, budget } = parts;
    this.#queue = new PartQueue(keys === undefined ? undefined : new PartSeal(keys.sending));
    const seal = keys === undefined ? undefined : new PartSeal(keys.receiving);
    this.#reader = new PartReader(limits.messageBytesMax, { seal, budget });
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    socket.on('error', (error) => {
      this.#end(error.message);
    });
    socket.on('close', () => {
      this.#isClosed = true;
      this.#letGo();
      this.#tellDown();
    });
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Begins to take messages. @param rest - what arrived right behind the handshake. */
  begin(rest: Buffer): void {
    const { socket } = this.#parts;
    const isLending = socket instanceof LendingSocket;
    if (isLending) socket.lendAgain();
    socket.on('data', (chunk) => {
      this.#read(chunk, isLending);
    });
    socket.on('end', () => {
      this.#end('the other end closed it');
    });
    socket.on('drain', () => {
      this.#flush();
    });
    if (rest.length > 0) this.#read(rest, false);
    socket.resume();
  }

  send(message: Message): void {
    if (this.#isClosed) return;
    const pieces = encodeMessage(message);
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    const { messageBytesMax, queuedBytesMax } = this.#parts.limits;
    if (length > messageBytesMax) {
      this.#end(
        `a message of ${String(length)} bytes was to be sent, and ${String(messageBytesMax)} is the most`,
      );
    } else if (this.#waitingBytes + length > queuedBytesMax) {
      this.#end(`the other end reads too slowly: more than ${String(queuedBytesMax)} bytes wait for it`);
    } else {
      this.#queue.add(pieces, length);
      this.#queueFlush();
    }
  }

  close(): void {
    if (this.#isClosed) return;
    // What was said before still leaves, as far as the kernel takes it at once.
    this.#flush();
    this.#end('this node closed it');
  }

  /** Another link takes its place: closes it, and tells so before this returns. Not for calls from the observer. */
  replace(): void {
    this.#end('the other end opened another one');
    this.#tellDown();
  }

  /**
   * Called each second. Silence is counted in calls: after a pause of this process there is one late call, and what
   * arrived meanwhile is read before the next.
   */
  tick(): void {
    if (this.#isClosed) return;
    this.#silentTicks++;
    if (this.#silentTicks >= SILENT_AFTER_TICKS) {
      this.#end('nothing was heard on it for too long');
    } else if (this.isOutgoing && this.#silentTicks % ASK_AFTER_TICKS === 0) {
      this.#queue.ask();
      this.#queueFlush();
    }
  }

  message(bytes: Buffer): void {
    const message = decodeMessage(bytes);
    if (isMessageFault(message)) this.#violated(`what is no message: ${message.detail}`);
    else this.#parts.received(this, message);
  }

  asked(): void {
    // One answer is enough for however many questions.
    if (this.#waitingBytes > 0) return;
    this.#queue.answer();
    this.#queueFlush();
  }

  get #waitingBytes(): number {
    return this.#queue.bytes + this.#parts.socket.writableLength;
  }

  #read(chunk: Buffer, isLent: boolean): void {
    if (this.#isClosed) return;
    this.#silentTicks = 0;
    const fault = this.#reader.read(chunk, this, isLent);
    if (fault !== undefined) this.#violated(fault);
  }

  #violated(carried: string): void {
    this.#isViolation ||= !this.#isClosed;
    this.#end(`it carried ${carried}`);
  }

  #queueFlush(): void {
    if (this.#isFlushQueued) return;
    this.#isFlushQueued = true;
    queueMicrotask(() => {
      this.#isFlushQueued = false;
      this.#flush();
    });
  }

  #flush(): void {
    const { socket } = this.#parts;
    while (!this.#isClosed && !socket.writableNeedDrain) {
      const pieces = this.#queue.take();
      if (pieces.length === 0) return;
      if (pieces.length > 1 && isSmall(pieces)) {
        socket.write(Buffer.concat(pieces));
        continue;
      }
      socket.cork();
      for (const piece of pieces) socket.write(piece);
      socket.uncork();
    }
  }

  #tellDown(): void {
    if (this.#isDownTold) return;
    this.#isDownTold = true;
    this.#parts.down(this, { reason: this.#reason, isViolation: this.#isViolation });
  }

  /** The socket's `close` follows, and tells. */
  #end(reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reason = reason;
    this.#letGo();
    this.#parts.socket.destroy();
  }

  #letGo(): void {
    this.#queue.clear();
    this.#reader.release();
  }
}

function isSmall(pieces: readonly Buffer[]): boolean {
  let bytes = 0;
  for (const { length } of pieces) bytes += length;
  return bytes <= COPIED_BYTES_MAX;
}
