import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import { refusal } from '../engine.js';
import type { Refusal } from '../engine.js';
import { LineReply } from '../protocol/line-reply.js';
import { ReplyBuffer } from '../protocol/reply-buffer.js';
import type { Reply } from '../protocol/reply.js';
import type { Framing } from '../protocol/request.js';
import { RespReply } from '../protocol/resp-reply.js';
import type { RespVersion } from '../protocol/resp-reply.js';
import { DirectSending } from './direct-sending.js';
import { PAUSE_BYTES } from './limits.js';
import { RowOfReplies } from './row-reads.js';
import { TurnShare } from './turn-share.js';

export const BUFFERS_FULL = 'too much waits in the buffers of this server: try again in a moment';

/** Longer values are shown one by one. */
const ROW_VALUE_BYTES_MAX = 4096;
/** What one client is sent in one turn, so that others have theirs. */
const SENT_A_TURN_BYTES = 256 * 1024;
/** What a slice of a value counts that was looked at and gave nothing to send yet. */
const LOOKED_AT_BYTES = SENT_A_TURN_BYTES / 8;
/** What each piece costs beside its bytes. */
const PIECE_BYTES = 1024;

/**
 * The replies of one connection, in the order of its requests, whatever the framing of each. They gather until they are
 * sent, all with one write.
 */
export class Replies {
  readonly #socket: Socket;
  readonly #direct: DirectSending;
  readonly #buffer = new ReplyBuffer();
  readonly #bytesMax: number;
  readonly #share: TurnShare;
  readonly #line: LineReply;
  readonly #resp: RespReply;
  /** Where replies to reads are written that came together. */
  readonly row: RowOfReplies;

  /**
   * @param bytesMax - what may wait here with more than one reply, or a list, in it.
   * @param goOn - called when there is a new turn to send more in, or the client took something; of what the socket itself sends its
   *   `drain` tells.
   */
  constructor(socket: Socket, clock: Clock, bytesMax: number, goOn: () => void) {
    this.#socket = socket;
    this.#direct = new DirectSending(socket, goOn);
    this.#share = new TurnShare(clock, SENT_A_TURN_BYTES, goOn);
    this.#bytesMax = bytesMax;
    this.#line = new LineReply(this.#buffer, bytesMax);
    this.#resp = new RespReply(this.#buffer, bytesMax);
    const freeBytesMax = Math.min(PAUSE_BYTES, bytesMax);
    this.row = new RowOfReplies(this.#resp, ROW_VALUE_BYTES_MAX, () => freeBytesMax - this.unreadBytes);
  }

  /** Where the next reply is written. */
  in(framing: Framing): Reply {
    return framing === 'resp' ? this.#resp : this.#line;
  }

  get respVersion(): RespVersion {
    return this.#resp.version;
  }

  set respVersion(version: RespVersion) {
    this.#resp.version = version;
  }

  /** Bytes that gathered and were not sent. */
  get length(): number {
    return this.#buffer.length;
  }

  /** Bytes that the client has not taken. */
  get unreadBytes(): number {
    return this.#buffer.length + this.#sendingBytes;
  }

  /**
   * Why the reply that was written behind the first `mark` bytes is to be taken back, if it is: it is too much beside those
   * that wait already. One that stands alone is let through, unless it is a list that was cut short.
   *
   * @param isBudgetExceeded - whether all connections together hold too much.
   */
  objection(reply: Reply, mark: number, isBudgetExceeded: boolean): Refusal | undefined {
    const isAlone = mark === 0 && this.#sendingBytes === 0;
    if (reply.isFull || (!isAlone && this.unreadBytes > this.#bytesMax)) {
      return refusal('TOO_LARGE', 'too many replies wait to be read: read them, then ask again');
    }
    const isLong = reply.length - mark > PAUSE_BYTES;
    return isBudgetExceeded && isLong ? refusal('BUSY', BUFFERS_FULL) : undefined;
  }

  /** Sent, and not taken by the client. */
  get #sendingBytes(): number {
    return this.#socket.writableLength + this.#direct.waitingBytes;
  }

  /** Sends what gathered, as far as the client takes it and as one turn allows. */
  send(): void {
    const socket = this.#socket;
    const buffer = this.#buffer;
    const isOne = buffer.isOnePiece;
    if (!isOne) socket.cork();
    while (buffer.length > 0 && !this.#share.isSpent && this.#sendingBytes < PAUSE_BYTES) {
      const bytes = buffer.take(SENT_A_TURN_BYTES);
      if (bytes.length > 0) this.#sendPiece(bytes, isOne);
      this.#share.spend(PIECE_BYTES + (bytes.length || LOOKED_AT_BYTES));
    }
    if (!isOne) socket.uncork();
    buffer.taken(this.#sendingBytes > 0);
  }

  #sendPiece(bytes: Buffer, isOnly: boolean): void {
    if (!isOnly || !this.#direct.send(bytes)) this.#socket.write(bytes);
  }
}
