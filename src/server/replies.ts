import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import { LineReply } from '../protocol/line-reply.js';
import { ReplyBuffer } from '../protocol/reply-buffer.js';
import type { Reply } from '../protocol/reply.js';
import type { Framing } from '../protocol/request.js';
import { RespReply } from '../protocol/resp-reply.js';
import type { RespVersion } from '../protocol/resp-reply.js';
import { PAUSE_BYTES } from './limits.js';
import { TurnShare } from './turn-share.js';

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
  readonly #buffer = new ReplyBuffer();
  readonly #share: TurnShare;
  readonly #line: LineReply;
  readonly #resp: RespReply;

  /**
   * @param listBytesMax - what may wait here with a list in it.
   * @param goOn - called when there is a new turn to send more in; otherwise the socket's `drain` tells.
   */
  constructor(socket: Socket, clock: Clock, listBytesMax: number, goOn: () => void) {
    this.#socket = socket;
    this.#share = new TurnShare(clock, SENT_A_TURN_BYTES, goOn);
    this.#line = new LineReply(this.#buffer, listBytesMax);
    this.#resp = new RespReply(this.#buffer, listBytesMax);
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
    return this.#buffer.length + this.#socket.writableLength;
  }

  /** Sends what gathered, as far as the client takes it and as one turn allows. */
  send(): void {
    const socket = this.#socket;
    const buffer = this.#buffer;
    const isOne = buffer.isOnePiece;
    if (!isOne) socket.cork();
    while (buffer.length > 0 && !this.#share.isSpent && socket.writableLength < PAUSE_BYTES) {
      const bytes = buffer.take(SENT_A_TURN_BYTES);
      if (bytes.length > 0) socket.write(bytes);
      this.#share.spend(PIECE_BYTES + (bytes.length || LOOKED_AT_BYTES));
    }
    if (!isOne) socket.uncork();
    buffer.taken(socket.writableLength > 0);
  }
}
