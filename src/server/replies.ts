import type { Socket } from 'node:net';
import { LineReply } from '../protocol/line-reply.js';
import { ReplyBuffer } from '../protocol/reply-buffer.js';
import type { Reply } from '../protocol/reply.js';
import type { Framing } from '../protocol/request.js';
import { RespReply } from '../protocol/resp-reply.js';
import type { RespVersion } from '../protocol/resp-reply.js';

/**
 * The replies of one connection, in the order of its requests, whatever the framing of each. They gather until they are
 * sent, all with one write.
 */
export class Replies {
  readonly #socket: Socket;
  readonly #buffer = new ReplyBuffer();
  readonly #line: LineReply;
  readonly #resp: RespReply;

  /** @param listBytesMax - what may wait here with a list in it. */
  constructor(socket: Socket, listBytesMax: number) {
    this.#socket = socket;
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

  /** Sends what gathered. */
  send(): void {
    if (this.#buffer.length === 0) return;
    const pieces = this.#buffer.peek();
    const isOne = pieces.length === 1;
    if (!isOne) this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    if (!isOne) this.#socket.uncork();
    this.#buffer.taken(this.#socket.writableLength > 0);
  }
}
