import { timingSafeEqual } from 'node:crypto';
import type { AssemblyBudget } from './assembly-budget.js';
import { TAG_BYTES } from './part-seal.js';
import type { PartSeal } from './part-seal.js';

/**
 * How messages share one connection. A message travels in parts, and there are two lanes: a short one does not wait for
 * the end of a long one, and passes between two of its parts. Within a lane messages keep their order.
 *
 * All numbers are little endian.
 *
 *     at  bytes
 *      0      4  length  of the bytes that follow this head
 *      4      1  lane
 *      5      1  1 for the last part of a message, otherwise 0
 *      6      2  0
 *      8     16  tag     of the head and the bytes, in their place in the link; only between nodes that have a secret
 */
export const PART_HEAD_BYTES = 8;
const AT_LANE = 4;
const AT_IS_LAST = 5;
const AT_ZERO = 6;

export const PART_BYTES_MAX = 256 * 1024;
/** A message of at most this many bytes passes longer ones. */
export const URGENT_BYTES_MAX = 16 * 1024;

const Lane = {
  urgent: 0,
  bulk: 1,
  /** Carries nothing: is the other end still there? */
  ask: 2,
  /** Carries nothing: it is. */
  answer: 3,
} as const;

/** A long message of which a part may have been taken already. */
interface Bulk {
  readonly pieces: readonly Buffer[];
  /** Bytes that were not taken yet. */
  remaining: number;
  /** Where they begin: a piece, and an offset in it. */
  piece: number;
  offset: number;
}

/** A part that is to be sent. */
interface Part {
  readonly head: Buffer;
  readonly pieces: readonly Buffer[];
}

/** What waits to be sent. */
export class PartQueue {
  readonly #seal: PartSeal | undefined;
  #urgent: Part[] = [];
  #urgentBytes = 0;
  #bulk: Bulk[] = [];
  #bulkBytes = 0;

  /** @param seal - of this direction; without it there are no tags. */
  constructor(seal?: PartSeal) {
    this.#seal = seal;
  }

  /** Bytes that were not taken yet. */
  get bytes(): number {
    return this.#urgentBytes + this.#bulkBytes;
  }

  /** @param length - the bytes of all pieces together. */
  add(pieces: readonly Buffer[], length: number): void {
    if (length > URGENT_BYTES_MAX) {
      this.#bulk.push({ pieces, remaining: length, piece: 0, offset: 0 });
      this.#bulkBytes += length;
      return;
    }
    this.#urgent.push({ head: partHead(length, Lane.urgent, true), pieces });
    this.#urgentBytes += PART_HEAD_BYTES + length;
  }

  ask(): void {
    this.#addEmpty(Lane.ask);
  }

  answer(): void {
    this.#addEmpty(Lane.answer);
  }

  /** What is to be sent next: everything that is urgent, and one part of what is not. Empty when nothing waits. */
  take(): Buffer[] {
    const taken: Buffer[] = [];
    for (const part of this.#urgent) this.#finish(part, taken);
    this.#urgent = [];
    this.#urgentBytes = 0;
    const first = this.#bulk[0];
    if (first === undefined) return taken;
    const length = Math.min(first.remaining, PART_BYTES_MAX);
    const isLast = length === first.remaining;
    const pieces: Buffer[] = [];
    takeBytes(first, length, pieces);
    this.#finish({ head: partHead(length, Lane.bulk, isLast), pieces }, taken);
    this.#bulkBytes -= length;
    if (isLast) this.#bulk.shift();
    return taken;
  }

  clear(): void {
    this.#urgent = [];
    this.#urgentBytes = 0;
    this.#bulk = [];
    this.#bulkBytes = 0;
  }

  #addEmpty(lane: number): void {
    this.#urgent.push({ head: partHead(0, lane, true), pieces: [] });
    this.#urgentBytes += PART_HEAD_BYTES;
  }

  /** Tags are made in the order in which parts leave. */
  #finish({ head, pieces }: Part, target: Buffer[]): void {
    target.push(head);
    const seal = this.#seal;
    if (seal !== undefined) {
      seal.begin();
      seal.add(head);
      for (const piece of pieces) seal.add(piece);
      target.push(seal.end());
    }
    target.push(...pieces);
  }
}

function takeBytes(bulk: Bulk, length: number, target: Buffer[]): void {
  bulk.remaining -= length;
  while (length > 0) {
    const piece = bulk.pieces[bulk.piece];
    if (piece === undefined) throw new Error('a message is shorter than it was said to be');
    const slice = piece.subarray(bulk.offset, bulk.offset + length);
    if (slice.length > 0) target.push(slice);
    length -= slice.length;
    bulk.offset += slice.length;
    if (bulk.offset < piece.length) return;
    bulk.piece++;
    bulk.offset = 0;
  }
}

function partHead(length: number, lane: number, isLast: boolean): Buffer {
  const head = Buffer.alloc(PART_HEAD_BYTES);
  head.writeUInt32LE(length);
  head[AT_LANE] = lane;
  head[AT_IS_LAST] = isLast ? 1 : 0;
  return head;
}

/** Who is told what the parts carried. */
export interface PartSink {
  /** A whole message; its bytes are the receiver's own. */
  message(bytes: Buffer): void;
  /** The other end wants to know whether this one is there. */
  asked(): void;
  /** Nothing more is to be read. */
  readonly isClosed: boolean;
}

/**
 * Puts messages together from the parts in the bytes of one connection, however they were cut into chunks.
 *
 * Invariant: memory grows with what has arrived, never with what was only announced, and stays within the bound of one
 * message in each lane, and over all links within their budget. No message is told before the tags of all of its parts were
 * found right.
 */
export class PartReader {
  readonly #seal: PartSeal | undefined;
  /** Of the part under way, with its tag. */
  readonly #head: Buffer;
  #headLength = 0;
  /** Bytes of the part under way that have not arrived. */
  #missing = 0;
  #isLast = false;
  /** The bytes that are being read are good only until `read` returns. */
  #isLent = false;
  #assembly: Assembly;
  readonly #urgent: Assembly;
  readonly #bulk: Assembly;

  constructor(messageBytesMax: number, { seal, budget }: PartReaderParts = {}) {
    this.#seal = seal;
    this.#head = Buffer.alloc(PART_HEAD_BYTES + (seal === undefined ? 0 : TAG_BYTES));
    this.#urgent = new Assembly(URGENT_BYTES_MAX, budget);
    this.#bulk = new Assembly(messageBytesMax, budget);
    this.#assembly = this.#bulk;
  }

  /**
   * Answers, on one line, what is wrong with the bytes; nothing can be read behind it.
   *
   * @param isLent - nothing of the chunk may be kept: most of a long message is copied where it is gathered in any case.
   */
  read(chunk: Buffer, sink: PartSink, isLent = false): string | undefined {
    this.#isLent = isLent;
    let at = 0;
    while (at < chunk.length && !sink.isClosed) {
      if (this.#missing === 0) {
        const headBytes = this.#head.length;
        const taken = chunk.copy(this.#head, this.#headLength, at, at + headBytes - this.#headLength);
        at += taken;
        this.#headLength += taken;
        if (this.#headLength < headBytes) return undefined;
        this.#headLength = 0;
        const fault = this.#begin(sink);
        if (fault !== undefined) return fault;
        continue;
      }
      const bytes = chunk.subarray(at, at + this.#missing);
      at += bytes.length;
      const fault = this.#take(bytes, sink);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  /** Nothing more is read: lets go of what has arrived. */
  release(): void {
    this.#urgent.release();
    this.#bulk.release();
  }

  #begin(sink: PartSink): string | undefined {
    const length = this.#head.readUInt32LE();
    const lane = this.#head[AT_LANE];
    const isLast = this.#head[AT_IS_LAST];
    this.#seal?.begin();
    this.#seal?.add(this.#head.subarray(0, PART_HEAD_BYTES));
    if ((isLast !== 0 && isLast !== 1) || this.#head.readUInt16LE(AT_ZERO) !== 0) return MALFORMED;
    if (lane === Lane.ask || lane === Lane.answer) {
      if (length !== 0) return MALFORMED;
      if (!this.#isGenuine()) return FORGED;
      if (lane === Lane.ask) sink.asked();
      return undefined;
    }
    if (lane !== Lane.urgent && lane !== Lane.bulk) return 'a part of an unknown lane';
    if (length === 0 || length > PART_BYTES_MAX) return 'a part of an impossible length';
    this.#assembly = lane === Lane.urgent ? this.#urgent : this.#bulk;
    if (!this.#assembly.hasRoomFor(length)) return 'a message longer than it may be';
    this.#missing = length;
    this.#isLast = isLast === 1;
    return undefined;
  }

  #take(bytes: Buffer, sink: PartSink): string | undefined {
    this.#missing -= bytes.length;
    this.#seal?.add(bytes);
    const isWhole = this.#missing === 0;
    if (isWhole && !this.#isGenuine()) return FORGED;
    if (isWhole && this.#isLast) {
      sink.message(this.#assembly.finish(bytes, this.#isLent));
      return undefined;
    }
    return this.#assembly.add(bytes) ? undefined : TOO_MUCH;
  }

  /** Whether the tag of the part that is whole now is right. */
  #isGenuine(): boolean {
    return (
      this.#seal === undefined || timingSafeEqual(this.#seal.end(), this.#head.subarray(PART_HEAD_BYTES))
    );
  }
}

export interface PartReaderParts {
  /** Of this direction; without it there are no tags. */
  readonly seal?: PartSeal | undefined;
  /** What all links together may take for messages that are not whole. */
  readonly budget?: AssemblyBudget | undefined;
}

const MALFORMED = 'a malformed part';
const FORGED = 'a part with a wrong tag: it was changed, repeated, moved or left out on its way';
const TOO_MUCH = 'more than all links together may have of messages that are not whole';

/** What a lane of a link keeps for its next message: the beginning of one that carries a part of a snapshot takes so much. */
export const KEPT_BYTES_MAX = 1024 * 1024;
const NO_BYTES = Buffer.alloc(0);

/** The beginning of a message of one lane. Invariant: its memory is taken out of the budget as long as it has it. */
class Assembly {
  readonly #bytesMax: number;
  readonly #budget: AssemblyBudget | undefined;
  #bytes: Buffer = NO_BYTES;
  #length = 0;

  constructor(bytesMax: number, budget: AssemblyBudget | undefined) {
    this.#bytesMax = bytesMax;
    this.#budget = budget;
  }

  hasRoomFor(more: number): boolean {
    return this.#length + more <= this.#bytesMax;
  }

  /** False when there is no budget for it. */
  add(bytes: Buffer): boolean {
    const needed = this.#length + bytes.length;
    if (needed > this.#bytes.length) {
      const size = Math.min(Math.max(needed, this.#bytes.length * 2), this.#bytesMax);
      if (this.#budget?.take(size - this.#bytes.length) === false) return false;
      const grown = Buffer.allocUnsafeSlow(size);
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    bytes.copy(this.#bytes, this.#length);
    this.#length = needed;
    return true;
  }

  /** The whole message, which is the receiver's own; a new one begins behind it. One that lies in a single chunk is copied if that is lent. */
  finish(last: Buffer, isLent: boolean): Buffer {
    const length = this.#length;
    if (length === 0) return isLent ? Buffer.from(last) : last;
    // What it was gathered in had to grow with it, and is kept for the next one: memory that is new costs more than a copy.
    const whole = Buffer.allocUnsafeSlow(length + last.length);
    this.#bytes.copy(whole, 0, 0, length);
    last.copy(whole, length);
    this.#length = 0;
    if (this.#bytes.length > KEPT_BYTES_MAX) this.release();
    return whole;
  }

  /** Lets go of what has arrived, and of the memory for it. */
  release(): void {
    this.#budget?.giveBack(this.#bytes.length);
    this.#bytes = NO_BYTES;
    this.#length = 0;
  }
}
