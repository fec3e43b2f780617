import { LineReply } from '../../src/protocol/line-reply.js';
import { ReplyBuffer } from '../../src/protocol/reply-buffer.js';
import { RespReply } from '../../src/protocol/resp-reply.js';

/** A writer of replies, and all that was written. */
export interface Written<Writer> {
  readonly reply: Writer;
  readonly buffer: ReplyBuffer;
  readonly said: () => Buffer;
}

export function lineReply(listBytesMax?: number): Written<LineReply> {
  const buffer = new ReplyBuffer();
  return { reply: new LineReply(buffer, listBytesMax), buffer, said: () => Buffer.concat(buffer.peek()) };
}

export function respReply(listBytesMax?: number): Written<RespReply> {
  const buffer = new ReplyBuffer();
  return { reply: new RespReply(buffer, listBytesMax), buffer, said: () => Buffer.concat(buffer.peek()) };
}
