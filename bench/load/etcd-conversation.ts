import { Values, keyOf } from '../entries.js';
import type { Choice, Conversation, LoadPlan } from './conversation.js';
import { FLAG, FRAME_TYPE, FrameReader, frame, literal } from './http2-frames.js';
import type { Frame } from './http2-frames.js';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const WINDOW_BYTES_MAX = 2 ** 31 - 1;
/** What either side may send before it is told more. */
const FIRST_WINDOW_BYTES = 65_535;
const INITIAL_WINDOW_SIZE = 4;
const STREAM_STEP = 2;

/** Of the static table of HPACK: name and value, or names whose value follows. */
const METHOD_POST = 0x83;
const SCHEME_HTTP = 0x86;
const PATH = 4;
const AUTHORITY = 1;
const CONTENT_TYPE = 31;

/**
 * gRPC as far as a load for etcd needs it, one call at a time. It is written by hand since the client shares the machine with the
 * servers: `node:http2` would take more processor time for a call than the server that answers it.
 *
 * A call that fails has no message in its answer, only trailers. So the trailers need not be understood.
 */
export class EtcdConversation implements Conversation {
  readonly greeting = greeting();
  readonly #plan: LoadPlan;
  readonly #choice: Choice;
  readonly #say: (bytes: Buffer) => void;
  readonly #frames = new FrameReader();
  readonly #values: Values;
  readonly #rangeHeaders: Buffer;
  readonly #putHeaders: Buffer;
  #stream = -1;
  #windowBytes = FIRST_WINDOW_BYTES;
  #answerBytes = 0;
  #answerBytesMin = 0;

  constructor(plan: LoadPlan, choice: Choice, say: (bytes: Buffer) => void) {
    if (plan.pipeline !== 1) throw new Error('calls of etcd are made one at a time');
    this.#plan = plan;
    this.#choice = choice;
    this.#say = say;
    this.#values = new Values(plan.valueBytes);
    this.#rangeHeaders = headersOf('/etcdserverpb.KV/Range', plan);
    this.#putHeaders = headersOf('/etcdserverpb.KV/Put', plan);
  }

  ask(): Buffer {
    const { valueBytes } = this.#plan;
    this.#stream += STREAM_STEP;
    this.#answerBytes = 0;
    const isRead = this.#choice.isRead();
    const key = this.#choice.key();
    // Neither call sets `serializable`: etcd reads linearizably unless it is told otherwise.
    const message = field(1, Buffer.from(keyOf(key), 'latin1'));
    const body = isRead ? message : Buffer.concat([message, field(2, this.#values.at(key, valueBytes))]);
    this.#answerBytesMin = isRead ? valueBytes : 1;
    const data = Buffer.concat([messageHead(body.length), body]);
    this.#windowBytes -= data.length;
    if (this.#windowBytes < 0) throw new Error('the server lets nothing be sent any more');
    const headers = isRead ? this.#rangeHeaders : this.#putHeaders;
    return Buffer.concat([
      frame(FRAME_TYPE.headers, FLAG.endHeaders, this.#stream, headers),
      frame(FRAME_TYPE.data, FLAG.endStream, this.#stream, data),
    ]);
  }

  take(chunk: Buffer): boolean {
    this.#frames.feed(chunk);
    let isOver = false;
    for (let each = this.#frames.next(); each !== undefined; each = this.#frames.next()) {
      if (each.stream === this.#stream) isOver = this.#takeAnswer(each) || isOver;
      else this.#takeOther(each);
    }
    return isOver;
  }

  #takeAnswer({ type, flags, payload }: Frame): boolean {
    if (type === FRAME_TYPE.resetStream) throw new Error('etcd gave the call up');
    if (type === FRAME_TYPE.data) this.#answerBytes += payload.length;
    if ((type !== FRAME_TYPE.data && type !== FRAME_TYPE.headers) || (flags & FLAG.endStream) === 0)
      return false;
    if (this.#answerBytes >= this.#answerBytesMin) return true;
    throw new Error(`etcd refused a call, or did not have the value: ${payload.toString('latin1')}`);
  }

  #takeOther({ type, flags, stream, payload }: Frame): void {
    const isAnswer = (flags & FLAG.acknowledged) !== 0;
    if (type === FRAME_TYPE.goAway)
      throw new Error(`etcd ends the connection: ${payload.toString('latin1', 8)}`);
    if (type === FRAME_TYPE.windowUpdate && stream === 0) this.#windowBytes += payload.readUInt32BE(0);
    if (type === FRAME_TYPE.settings && !isAnswer) {
      this.#say(frame(FRAME_TYPE.settings, FLAG.acknowledged, 0, Buffer.alloc(0)));
    }
    if (type === FRAME_TYPE.ping && !isAnswer)
      this.#say(frame(FRAME_TYPE.ping, FLAG.acknowledged, 0, payload));
  }
}

/** So much may be sent here that nothing has to be told again. */
function greeting(): Buffer {
  const settings = Buffer.alloc(6);
  settings.writeUInt16BE(INITIAL_WINDOW_SIZE, 0);
  settings.writeUInt32BE(WINDOW_BYTES_MAX, 2);
  const window = Buffer.alloc(4);
  window.writeUInt32BE(WINDOW_BYTES_MAX - FIRST_WINDOW_BYTES);
  return Buffer.concat([
    PREFACE,
    frame(FRAME_TYPE.settings, 0, 0, settings),
    frame(FRAME_TYPE.windowUpdate, 0, 0, window),
  ]);
}

function headersOf(path: string, { host, port }: LoadPlan): Buffer {
  return Buffer.concat([
    Buffer.from([METHOD_POST, SCHEME_HTTP]),
    literal(PATH, path),
    literal(AUTHORITY, `${host}:${String(port)}`),
    literal(CONTENT_TYPE, 'application/grpc'),
    literal('te', 'trailers'),
  ]);
}

/** Not compressed, and its length. */
function messageHead(bytes: number): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes, 1);
  return head;
}

const LENGTH_DELIMITED = 2;
const VARINT_BITS = 7;

/** A field of protobuf that holds bytes. */
function field(number: number, bytes: Buffer): Buffer {
  const head = [(number << 3) | LENGTH_DELIMITED];
  let length = bytes.length;
  for (; length >= 1 << VARINT_BITS; length >>>= VARINT_BITS) head.push((length & 0x7f) | 0x80);
  head.push(length);
  return Buffer.concat([Buffer.from(head), bytes]);
}
