/** Frames and headers of HTTP/2 (RFC 9113, RFC 7541), as far as one call after the other needs them. */

export const FRAME_TYPE = {
  data: 0,
  headers: 1,
  resetStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
} as const;

/** One bit may mean two things, by the type of the frame. */
export const FLAG = { endStream: 0x1, acknowledged: 0x1, endHeaders: 0x4 } as const;

export interface Frame {
  /** Also one that has no name here. */
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

const HEAD_BYTES = 9;
/** What a peer may send that was told nothing else. */
const PAYLOAD_BYTES_MAX = 16_384;

export function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(stream, 5);
  bytes.set(payload, HEAD_BYTES);
  return bytes;
}

/** Takes frames out of what arrives, however it is cut. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  /** @param chunk - borrowed until the next call. */
  feed(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
  }

  next(): Frame | undefined {
    const rest = this.#rest;
    if (rest.length < HEAD_BYTES) return undefined;
    const bytes = rest.readUIntBE(0, 3);
    if (bytes > PAYLOAD_BYTES_MAX) throw new Error('this is no frame of HTTP/2');
    const end = HEAD_BYTES + bytes;
    if (rest.length < end) return undefined;
    this.#rest = rest.subarray(end);
    return {
      type: rest.readUInt8(3),
      flags: rest.readUInt8(4),
      stream: rest.readUInt32BE(5) & 0x7fff_ffff,
      payload: rest.subarray(HEAD_BYTES, end),
    };
  }
}

const INDEX_BITS = 4;
const INDEX_MAX = (1 << INDEX_BITS) - 1;

/** A header that no table is to remember. @param name - the number of the static table, or the name itself. */
export function literal(name: number | string, value: string): Buffer {
  const text = shortText(value);
  if (typeof name === 'string') return Buffer.concat([Buffer.from([0]), shortText(name), text]);
  const index = name < INDEX_MAX ? [name] : [INDEX_MAX, name - INDEX_MAX];
  return Buffer.concat([Buffer.from(index), text]);
}

const SHORT_BYTES_MAX = 126;

function shortText(text: string): Buffer {
  if (text.length > SHORT_BYTES_MAX) throw new RangeError('headers of a load are short');
  return Buffer.from(String.fromCharCode(text.length) + text, 'latin1');
}
