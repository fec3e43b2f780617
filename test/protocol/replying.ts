import { LineReply } from '../../src/protocol/line-reply.js';
import { ReplyBuffer } from '../../src/protocol/reply-buffer.js';
import { RespReply } from '../../src/protocol/resp-reply.js';

/** A writer of replies, and all that was written until it is asked for. */
export interface Written<Writer> {
  readonly reply: Writer;
  readonly buffer: ReplyBuffer;
  readonly said: () => Buffer;
}

/** Takes everything that waits in a buffer, in pieces of any size. */
export function takeAll(buffer: ReplyBuffer, bytesMax = Infinity): Buffer[] {
  const pieces: Buffer[] = [];
  while (buffer.length > 0) {
    const piece = buffer.take(bytesMax);
    if (piece.length > 0) pieces.push(piece);
  }
  return pieces;
}

export function lineReply(listBytesMax?: number): Written<LineReply> {
  const buffer = new ReplyBuffer();
  return { reply: new LineReply(buffer, listBytesMax), buffer, said: () => Buffer.concat(takeAll(buffer)) };
}

export function respReply(listBytesMax?: number): Written<RespReply> {
  const buffer = new ReplyBuffer();
  return { reply: new RespReply(buffer, listBytesMax), buffer, said: () => Buffer.concat(takeAll(buffer)) };
}
