import { crc32 } from 'node:zlib';
import { FRAME_ROOM_BYTES, readFrame } from '../log/frame.js';
import type { Frame } from '../log/frame.js';
import type { Message } from '../replication/message.js';
import { checkHead } from './message-fields.js';
import type { CheckedHead, NamedBytes } from './message-fields.js';

/**
 * A message as bytes. All numbers are little endian.
 *
 *     at  bytes
 *      0      4  checksum     CRC-32 of everything behind it up to the end of the JSON
 *      4      4  length       of the whole message
 *      8      4  JSON length
 *     12         JSON         the fields of the message; instead of frames how many, instead of bytes their length and CRC-32
 *                frames       each as it lies in the log, one behind the other; or the bytes
 */
export const MESSAGE_HEAD_BYTES = 12;
const AT_CHECKSUM = 0;
const AT_LENGTH = 4;
const AT_JSON_LENGTH = 8;

/** The fields of one message, as JSON. */
export const JSON_BYTES_MAX = 4 * 1024 * 1024;

/** Why bytes are no message. */
export interface MessageFault {
  readonly fault: 'cut short' | 'checksum mismatch' | 'malformed';
  /** On one line, for people. */
  readonly detail: string;
}

export function isMessageFault(outcome: Message | MessageFault): outcome is MessageFault {
  return 'fault' in outcome;
}

/** The bytes of a message, in pieces. Those of frames and of snapshots are not copied. */
export function encodeMessage(message: Message): Buffer[] {
  switch (message.kind) {
    case 'append':
    case 'supply': {
      const frames = message.frames.map((frame) => frame.bytes.subarray(frame.start, frame.end));
      return encode({ ...message, frames: frames.length }, frames);
    }
    case 'snapshot part': {
      const { bytes } = message;
      const named: NamedBytes = { length: bytes.length, checksum: crc32(bytes) };
      return encode({ ...message, bytes: named }, [bytes]);
    }
    default:
      return encode(message, []);
  }
}

function encode(head: object, content: readonly Buffer[]): Buffer[] {
  const json = Buffer.from(JSON.stringify(head));
  const front = Buffer.allocUnsafe(MESSAGE_HEAD_BYTES + json.length);
  const contentBytes = content.reduce((sum, piece) => sum + piece.length, 0);
  front.writeUInt32LE(front.length + contentBytes, AT_LENGTH);
  front.writeUInt32LE(json.length, AT_JSON_LENGTH);
  json.copy(front, MESSAGE_HEAD_BYTES);
  front.writeUInt32LE(crc32(front.subarray(AT_LENGTH)), AT_CHECKSUM);
  return [front, ...content];
}

/**
 * Reads the bytes of one message. Frames are copied, each with its room in front, so that they can be appended to a log;
 * the bytes of a snapshot are a part of `bytes`.
 */
export function decodeMessage(bytes: Buffer): Message | MessageFault {
  const front = readFront(bytes);
  if ('fault' in front) return front;
  const head = checkHead(front.json);
  if (typeof head === 'string') return malformed(head);
  if ('frames' in head) return withFrames(head, bytes, front.end);
  if ('bytes' in head) return withBytes(head, bytes.subarray(front.end));
  if (front.end !== bytes.length) return malformed('bytes follow the message');
  return head as unknown as Message;
}

function readFront(bytes: Buffer): { readonly json: unknown; readonly end: number } | MessageFault {
  if (bytes.length < MESSAGE_HEAD_BYTES) return cutShort('the message is shorter than its head');
  const length = bytes.readUInt32LE(AT_LENGTH);
  if (length !== bytes.length) {
    return cutShort(`the message says ${String(length)} bytes and has ${String(bytes.length)}`);
  }
  const jsonLength = bytes.readUInt32LE(AT_JSON_LENGTH);
  if (jsonLength > JSON_BYTES_MAX) return malformed('the JSON is too long');
  const end = MESSAGE_HEAD_BYTES + jsonLength;
  if (end > bytes.length) return cutShort('the JSON is longer than its message');
  if (crc32(bytes.subarray(AT_LENGTH, end)) !== bytes.readUInt32LE(AT_CHECKSUM)) {
    return { fault: 'checksum mismatch', detail: 'the checksum of the message does not match' };
  }
  try {
    return { json: JSON.parse(bytes.toString('utf8', MESSAGE_HEAD_BYTES, end)), end };
  } catch {
    return malformed('the head is not JSON');
  }
}

function withFrames(head: CheckedHead, bytes: Buffer, start: number): Message | MessageFault {
  const frames: Frame[] = [];
  let at = start;
  for (let missing = head.frames as number; missing > 0; missing--) {
    const frame = readFrame(bytes, at, bytes.length);
    if (typeof frame === 'string') return malformed(`frame ${String(frames.length + 1)}: ${frame}`);
    frames.push(ownFrame(frame));
    at = frame.end;
  }
  if (at !== bytes.length) return malformed('bytes follow the last frame');
  return { ...head, frames } as unknown as Message;
}

/** A copy that holds on to nothing else and has its room in front. */
function ownFrame(frame: Frame): Frame {
  const end = FRAME_ROOM_BYTES + frame.end - frame.start;
  const bytes = Buffer.allocUnsafe(end);
  bytes.fill(0, 0, FRAME_ROOM_BYTES);
  frame.bytes.copy(bytes, FRAME_ROOM_BYTES, frame.start, frame.end);
  return { ...frame, bytes, start: FRAME_ROOM_BYTES, end };
}

function withBytes(head: CheckedHead, bytes: Buffer): Message | MessageFault {
  const named = head.bytes as NamedBytes;
  if (named.length !== bytes.length) return malformed('the bytes are not as many as the message says');
  if (named.checksum !== crc32(bytes)) {
    return { fault: 'checksum mismatch', detail: 'the checksum of the bytes does not match' };
  }
  return { ...head, bytes } as unknown as Message;
}

function cutShort(detail: string): MessageFault {
  return { fault: 'cut short', detail };
}

function malformed(detail: string): MessageFault {
  return { fault: 'malformed', detail };
}
