import { crc32 } from 'node:zlib';
import { FRAME_ROOM_BYTES, readFrame } from '../log/frame.js';
import type { Frame } from '../log/frame.js';
import type { FrequentMessage, Message } from '../replication/message.js';
import {
  Form,
  formOf,
  frequentHeadBytes,
  isFrequent,
  readFrequentHead,
  writeFrequentHead,
} from './frequent-messages.js';
import { checkHead } from './message-fields.js';
import type { CheckedHead, NamedBytes } from './message-fields.js';

/**
 * A message as bytes. All numbers are little endian.
 *
 *     at  bytes
 *      0      4  checksum     CRC-32 of everything behind it up to the end of the head
 *      4      4  length       of the whole message
 *      8      3  head length
 *     11      1  form         of the head: 0 for JSON, others in `frequent-messages.ts`
 *     12         head         the fields of the message; instead of frames how many, instead of bytes their length and CRC-32
 *                frames       each as it lies in the log, one behind the other; or the bytes
 */
export const MESSAGE_HEAD_BYTES = 12;
const AT_CHECKSUM = 0;
const AT_LENGTH = 4;
const AT_HEAD_LENGTH = 8;
const AT_FORM = 11;
const HEAD_LENGTH_BYTES = 3;

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
  if (isFrequent(message)) return encodeFrequent(message);
  switch (message.kind) {
    case 'supply': {
      const frames = bytesOf(message.frames);
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

function bytesOf(frames: readonly Frame[]): Buffer[] {
  return frames.map((frame) => frame.bytes.subarray(frame.start, frame.end));
}

function encodeFrequent(message: FrequentMessage): Buffer[] {
  const front = Buffer.allocUnsafe(MESSAGE_HEAD_BYTES + frequentHeadBytes(message));
  writeFrequentHead(message, front, MESSAGE_HEAD_BYTES);
  return complete(front, formOf(message), message.kind === 'append' ? bytesOf(message.frames) : []);
}

function encode(head: object, content: readonly Buffer[]): Buffer[] {
  const json = Buffer.from(JSON.stringify(head));
  const front = Buffer.allocUnsafe(MESSAGE_HEAD_BYTES + json.length);
  json.copy(front, MESSAGE_HEAD_BYTES);
  return complete(front, Form.json, content);
}

/** Puts in front of a head what every message begins with. */
function complete(front: Buffer, form: number, content: readonly Buffer[]): Buffer[] {
  let length = front.length;
  for (const piece of content) length += piece.length;
  front.writeUInt32LE(length, AT_LENGTH);
  front.writeUIntLE(front.length - MESSAGE_HEAD_BYTES, AT_HEAD_LENGTH, HEAD_LENGTH_BYTES);
  front[AT_FORM] = form;
  front.writeUInt32LE(crc32(front.subarray(AT_LENGTH)), AT_CHECKSUM);
  return [front, ...content];
}

/**
 * Reads the bytes of one message. Frames are copied, each with its room in front, so that they can be appended to a log;
 * the bytes of a snapshot are a part of `bytes`.
 */
export function decodeMessage(bytes: Buffer): Message | MessageFault {
  const end = checkFront(bytes);
  if (typeof end !== 'number') return end;
  const form = bytes[AT_FORM];
  if (form !== undefined && form !== Form.json) return decodeFrequent(form, bytes, end);
  const json = readJson(bytes, end);
  if (json === undefined) return malformed('the head is not JSON');
  const head = checkHead(json.fields);
  if (typeof head === 'string') return malformed(head);
  if ('frames' in head) return withFrames(head, bytes, end);
  if ('bytes' in head) return withBytes(head, bytes.subarray(end));
  if (end !== bytes.length) return malformed('bytes follow the message');
  return head as unknown as Message;
}

function decodeFrequent(form: number, bytes: Buffer, end: number): Message | MessageFault {
  const head = readFrequentHead(form, bytes, MESSAGE_HEAD_BYTES, end);
  if (typeof head === 'string') return malformed(head);
  if (head.kind === 'append') {
    const frames = readFrames(head.frames, bytes, end);
    return 'fault' in frames ? frames : { ...head, frames };
  }
  return end === bytes.length ? head : malformed('bytes follow the message');
}

/** Where the head ends. */
function checkFront(bytes: Buffer): number | MessageFault {
  if (bytes.length < MESSAGE_HEAD_BYTES) return cutShort('the message is shorter than its head');
  const length = bytes.readUInt32LE(AT_LENGTH);
  if (length !== bytes.length) {
    return cutShort(`the message says ${String(length)} bytes and has ${String(bytes.length)}`);
  }
  const headLength = bytes.readUIntLE(AT_HEAD_LENGTH, HEAD_LENGTH_BYTES);
  if (headLength > JSON_BYTES_MAX) return malformed('the head is too long');
  const end = MESSAGE_HEAD_BYTES + headLength;
  if (end > bytes.length) return cutShort('the head is longer than its message');
  if (crc32(bytes.subarray(AT_LENGTH, end)) !== bytes.readUInt32LE(AT_CHECKSUM)) {
    return { fault: 'checksum mismatch', detail: 'the checksum of the message does not match' };
  }
  return end;
}

function readJson(bytes: Buffer, end: number): { readonly fields: unknown } | undefined {
  try {
    return { fields: JSON.parse(bytes.toString('utf8', MESSAGE_HEAD_BYTES, end)) };
  } catch {
    return undefined;
  }
}

function withFrames(head: CheckedHead, bytes: Buffer, start: number): Message | MessageFault {
  const frames = readFrames(head.frames as number, bytes, start);
  return 'fault' in frames ? frames : ({ ...head, frames } as unknown as Message);
}

function readFrames(count: number, bytes: Buffer, start: number): Frame[] | MessageFault {
  const frames: Frame[] = [];
  let at = start;
  for (let missing = count; missing > 0; missing--) {
    const frame = readFrame(bytes, at, bytes.length);
    if (typeof frame === 'string') return malformed(`frame ${String(frames.length + 1)}: ${frame}`);
    frames.push(ownFrame(frame));
    at = frame.end;
  }
  return at === bytes.length ? frames : malformed('bytes follow the last frame');
}

/** A copy that holds on to nothing else and has its room in front. */
function ownFrame(frame: Frame): Frame {
  const end = FRAME_ROOM_BYTES + frame.end - frame.start;
  const bytes = Buffer.allocUnsafe(end);
  bytes.fill(0, 0, FRAME_ROOM_BYTES);
  frame.bytes.copy(bytes, FRAME_ROOM_BYTES, frame.start, frame.end);
  const { term, firstIndex, count, previous, checksum } = frame;
  return { bytes, start: FRAME_ROOM_BYTES, end, term, firstIndex, count, previous, checksum };
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
