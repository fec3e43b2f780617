import type { Frame } from '../../src/log/frame.js';
import { FRAME_ROOM_BYTES } from '../../src/log/frame.js';
import type { Message } from '../../src/replication/message.js';
import { decodeMessage, encodeMessage, isMessageFault } from '../../src/server/link-codec.js';

/** A message as it is after its way through a socket: it shares nothing with the one that was sent. */
export function copyMessage(message: Message): Message {
  const copy = decodeMessage(Buffer.concat(encodeMessage(message)));
  if (isMessageFault(copy)) throw new Error(`a ${message.kind} cannot be read again: ${copy.detail}`);
  return copy;
}

/** Puts a frame into a buffer of its own, with the room in front of it that the disk wants. */
export function copyFrame(frame: Frame): Frame {
  const bytes = Buffer.alloc(FRAME_ROOM_BYTES + frame.end - frame.start);
  frame.bytes.copy(bytes, FRAME_ROOM_BYTES, frame.start, frame.end);
  return { ...frame, bytes, start: FRAME_ROOM_BYTES, end: bytes.length };
}

/** The frames of a message, if it is of a kind that carries any. */
export function framesOf(message: Message): readonly Frame[] {
  return message.kind === 'append' || message.kind === 'supply' ? message.frames : [];
}

export function isSameFrame(a: Frame, b: Frame): boolean {
  return a.bytes.compare(b.bytes, b.start, b.end, a.start, a.end) === 0;
}
