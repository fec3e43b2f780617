import type { Frame } from '../../src/log/frame.js';
import { FRAME_ROOM_BYTES } from '../../src/log/frame.js';
import type { Message } from '../../src/replication/message.js';
import { decodeMessage, encodeMessage, isMessageFault } from '../../src/server/link-codec.js';

/** What a message without frames takes, about. */
const HEAD_BYTES = 150;
/** One message in so many goes through the codec of the real links. */
const CODEC_PERIOD = 16;

/**
 * Copies messages as their way through a socket would: a copy shares nothing with the one that was sent. Encoding and decoding
 * each of them costs as much as everything that the nodes do about it, and the codec has tests of its own with any message
 * (`test/server/link-codec.test.ts`), so it is the first of each kind that goes through it, and then every so many.
 */
export class MessageCopier {
  readonly #sent = new Map<Message['kind'], number>();

  copy(message: Message): Message {
    const sent = this.#sent.get(message.kind) ?? 0;
    this.#sent.set(message.kind, sent + 1);
    return sent % CODEC_PERIOD === 0 ? throughCodec(message) : copyMessage(message);
  }
}

function throughCodec(message: Message): Message {
  const copy = decodeMessage(Buffer.concat(encodeMessage(message)));
  if (isMessageFault(copy)) throw new Error(`a ${message.kind} cannot be read again: ${copy.detail}`);
  return copy;
}

/** The same message, made of other objects and other bytes. */
export function copyMessage(message: Message): Message {
  return copyOf(message) as Message;
}

/** A copy of plain data. */
function copyOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf);
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (isFrame(value)) return copyFrame(value);
  const copy: Record<string, unknown> = {};
  for (const name in value) copy[name] = copyOf((value as Record<string, unknown>)[name]);
  return copy;
}

function isFrame(value: object): value is Frame {
  return 'bytes' in value && 'firstIndex' in value;
}

/** Puts a frame into a buffer of its own, with the room in front of it that the disk wants. */
export function copyFrame(frame: Frame): Frame {
  const bytes = Buffer.allocUnsafe(FRAME_ROOM_BYTES + frame.end - frame.start);
  bytes.fill(0, 0, FRAME_ROOM_BYTES);
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

/** About as many bytes as it is on a link. */
export function lengthOf(message: Message): number {
  const bytes = message.kind === 'snapshot part' ? message.bytes.length : 0;
  return framesOf(message).reduce((sum, { start, end }) => sum + end - start, HEAD_BYTES + bytes);
}
