import { SeededRandom } from '../src/cli/bench/random.js';
import { BulkClient } from './bulk-client.js';
import type { Endpoint } from './server-process.js';

/** The same keys as redis-benchmark's: 16 bytes. */
const KEY_DIGITS = 12;
export const KEY_BYTES = 'key:'.length + KEY_DIGITS;
const POOL_BYTES = 1024 * 1024;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._';
const BATCH_BYTES = 64 * 1024;
/** Prime, so that few values begin at the same place. */
const STEP_BYTES = 7919;

export function keyOf(at: number): string {
  return `key:${String(at).padStart(KEY_DIGITS, '0')}`;
}

/** Values of printable characters that no compression makes smaller by much. No answer that holds one looks like an error. */
export class Values {
  readonly #pool: Buffer;

  constructor(bytesMax: number) {
    this.#pool = Buffer.alloc(POOL_BYTES + bytesMax);
    new SeededRandom(1).fill(this.#pool);
    for (let at = 0; at < this.#pool.length; at++) {
      this.#pool[at] = ALPHABET.charCodeAt((this.#pool[at] ?? 0) % ALPHABET.length);
    }
  }

  /** The value of a number, borrowed. */
  at(number: number, bytes: number): Buffer {
    const from = (number * STEP_BYTES) % POOL_BYTES;
    return this.#pool.subarray(from, from + bytes);
  }
}

/** Requests that are written one behind the other, to leave together. */
export class RequestBatch {
  #parts: Buffer[] = [];
  #bytes = 0;
  #lines = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get lines(): number {
    return this.#lines;
  }

  set(key: string, value: Buffer): void {
    const head = `*3\r\n$3\r\nSET\r\n$${String(key.length)}\r\n${key}\r\n$${String(value.length)}\r\n`;
    this.#add(Buffer.from(head, 'latin1'), 0);
    this.#add(value, 0);
    this.#add(LINE_END, 1);
  }

  get(key: string): void {
    // A length and a value: values of a bench hold no line feed.
    this.#add(Buffer.from(`*2\r\n$3\r\nGET\r\n$${String(key.length)}\r\n${key}\r\n`, 'latin1'), 2);
  }

  delete(key: string): void {
    this.#add(Buffer.from(`*2\r\n$3\r\nDEL\r\n$${String(key.length)}\r\n${key}\r\n`, 'latin1'), 1);
  }

  /** Everything that was written since the last call. */
  take(): Buffer {
    const all = Buffer.concat(this.#parts, this.#bytes);
    this.#parts = [];
    this.#bytes = this.#lines = 0;
    return all;
  }

  #add(part: Buffer, lines: number): void {
    this.#parts.push(part);
    this.#bytes += part.length;
    this.#lines += lines;
  }
}

const LINE_END = Buffer.from('\r\n');

export interface Content {
  /** The number of its first key; 0 when not given. */
  readonly from?: number;
  readonly entries: number;
  readonly valueBytes: number;
}

export function bytesOf({ entries, valueBytes }: Content): number {
  return entries * (KEY_BYTES + valueBytes);
}

/** Sets all entries through one connection; resolves when the last one is answered. */
export async function load(endpoint: Endpoint, { from = 0, entries, valueBytes }: Content): Promise<void> {
  const values = new Values(valueBytes);
  const client = await BulkClient.connect(endpoint);
  const batch = new RequestBatch();
  for (let at = 0; at < entries; at++) {
    batch.set(keyOf(from + at), values.at(at, valueBytes));
    if (batch.bytes < BATCH_BYTES && at + 1 < entries) continue;
    const { lines } = batch;
    await client.send(batch.take(), lines);
  }
  await client.answered();
  client.close();
}
