import { Values, keyOf } from '../entries.js';
import type { Choice, Conversation, LoadPlan } from './conversation.js';

const DIGIT_ZERO = 0x30;
const LINE_FEED = 0x0a;
const KEY = keyOf(0);
const KEY_PREFIX_BYTES = 'key:'.length;

/** A request whose key and value are filled in each time, and what answers it: always as many bytes, whatever the key. */
interface Form {
  readonly request: Buffer;
  /** Where the key begins, of a request that has one. */
  readonly keyAt: number;
  /** Where the value begins, of a request that has one. */
  readonly valueAt: number | undefined;
  readonly replyHead: Buffer;
  readonly replyBytes: number;
}

export interface Forms {
  readonly get: Form;
  readonly set: Form;
  /** What follows each batch. */
  readonly end?: Form;
}

type Size = Pick<LoadPlan, 'valueBytes' | 'isWaitedFor'>;

function form(request: string, replyHead: string, replyBytes: number): Form {
  const bytes = Buffer.from(request, 'latin1');
  return {
    request: bytes,
    keyAt: bytes.indexOf(KEY),
    valueAt: undefined,
    replyHead: Buffer.from(replyHead, 'latin1'),
    replyBytes,
  };
}

function formWithValue(before: string, valueBytes: number, replyHead: string): Form {
  const whole = form(`${before}${' '.repeat(valueBytes)}\r\n`, replyHead, replyHead.length);
  return { ...whole, valueAt: before.length };
}

export function respForms({ valueBytes, isWaitedFor = false }: Size): Forms {
  const key = `$${String(KEY.length)}\r\n${KEY}\r\n`;
  const head = `$${String(valueBytes)}\r\n`;
  return {
    get: form(`*2\r\n$3\r\nGET\r\n${key}`, head, head.length + valueBytes + 2),
    set: formWithValue(`*3\r\n$3\r\nSET\r\n${key}${head}`, valueBytes, '+OK\r\n'),
    ...(isWaitedFor ? { end: form('*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$1\r\n0\r\n', ':1\r\n', 4) } : {}),
  };
}

export function memcachedForms({ valueBytes }: Size): Forms {
  const size = String(valueBytes);
  const head = `VALUE ${KEY} 0 ${size}\r\n`;
  return {
    get: form(`get ${KEY}\r\n`, 'VALUE key:', head.length + valueBytes + '\r\nEND\r\n'.length),
    set: formWithValue(`set ${KEY} 0 0 ${size}\r\n`, valueBytes, 'STORED\r\n'),
  };
}

/**
 * A protocol whose answers are counted by their bytes: the keys are there and all values have one size, so an answer of
 * another length, or that begins otherwise, is none that was asked for.
 */
export class TextConversation implements Conversation {
  readonly greeting = Buffer.alloc(0);
  readonly #forms: Forms;
  readonly #plan: Pick<LoadPlan, 'pipeline' | 'valueBytes'>;
  readonly #choice: Choice;
  readonly #values: Values;
  readonly #batch: Buffer;
  /** Of the batch that is under way. */
  #first: Form;
  #owedBytes = 0;
  #isBegun = false;

  constructor(forms: Forms, plan: Pick<LoadPlan, 'pipeline' | 'valueBytes'>, choice: Choice) {
    this.#forms = forms;
    this.#plan = plan;
    this.#choice = choice;
    this.#values = new Values(plan.valueBytes);
    const requestBytesMax = Math.max(forms.get.request.length, forms.set.request.length);
    this.#batch = Buffer.alloc(plan.pipeline * requestBytesMax + (forms.end?.request.length ?? 0));
    this.#first = forms.get;
  }

  ask(): Buffer {
    const { get, set, end } = this.#forms;
    let at = 0;
    for (let count = 0; count < this.#plan.pipeline; count++) {
      const chosen = this.#choice.isRead() ? get : set;
      if (count === 0) this.#first = chosen;
      at = this.#write(chosen, at);
    }
    if (end !== undefined) at = this.#write(end, at);
    this.#isBegun = false;
    return this.#batch.subarray(0, at);
  }

  take(chunk: Buffer): boolean {
    if (!this.#isBegun) this.#checkHead(chunk);
    this.#isBegun = true;
    this.#owedBytes -= chunk.length;
    const isOver = this.#owedBytes === 0;
    if (this.#owedBytes < 0 || (isOver && chunk[chunk.length - 1] !== LINE_FEED)) {
      throw new Error(`the server answered something else: ${chunk.toString('latin1', 0, 200)}`);
    }
    return isOver;
  }

  #checkHead(chunk: Buffer): void {
    const { replyHead } = this.#first;
    const bytes = Math.min(replyHead.length, chunk.length);
    if (chunk.compare(replyHead, 0, bytes, 0, bytes) === 0) return;
    throw new Error(`the server answered ${chunk.toString('latin1', 0, 200)}`);
  }

  #write({ request, keyAt, valueAt, replyBytes }: Form, from: number): number {
    const batch = this.#batch;
    batch.set(request, from);
    this.#owedBytes += replyBytes;
    if (keyAt < 0) return from + request.length;
    const key = this.#choice.key();
    let rest = key;
    for (let at = from + keyAt + KEY.length - 1; at >= from + keyAt + KEY_PREFIX_BYTES; at--) {
      batch[at] = DIGIT_ZERO + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    if (valueAt !== undefined) batch.set(this.#values.at(key, this.#plan.valueBytes), from + valueAt);
    return from + request.length;
  }
}
