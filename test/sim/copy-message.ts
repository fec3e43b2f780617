import type { Frame } from '../../src/log/frame.js';
import { FRAME_ROOM_BYTES } from '../../src/log/frame.js';
import type { Message } from '../../src/replication/message.js';

/** A message that shares no bytes with the one that was sent, as after its way through a socket. */
export function copyMessage(message: Message): Message {
  return copy(message) as Message;
}

function copy(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== 'object' || value === null) return value;
  if (isFrame(value)) return copyFrame(value);
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, copy(field)]));
}

function isFrame(value: object): value is Frame {
  return 'bytes' in value && 'firstIndex' in value && 'checksum' in value;
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
