import { WORDS_BYTES_MAX, copyByWords, viewOf } from '../copying.js';
import type { ByteRange } from '../engine.js';
import { LARGE_PLACES, UNIT_BYTES } from './place.js';
import {
  PAGE_START,
  RECORD_HEADER_BYTES,
  SLOT_BYTES,
  copy,
  isSameByWords,
  recordBytes,
  recordBytesAt,
} from './page.js';
import type { Page } from './page.js';
import type { Slots } from './slots.js';

/** What may lie idle: a share of what is live, and so many pages. More of it is reclaimed. */
const IDLE_SHARE = 1 / 8;
const IDLE_PAGES = 2;
/**
 * The share where records have so many bytes on average. The less lies idle the more is moved to make room, and what a put costs
 * besides grows with its bytes as well: of 4 KiB whose size changes each time it takes 6.6 µs in the table in place of 4.4, of the 30 that
 * the whole of it takes, for 5 % less memory. With a twelfth for all, a put of 64 B took a third longer.
 */
const LONG_IDLE_SHARE = 1 / 16;
const LONG_RECORD_BYTES = 512;
/** Empty pages that are kept for what comes next; more of them are let go. One is emptied while another one is filled. */
const EMPTY_PAGES_MAX = 1;

/**
 * Keys and values, side by side in pages. A page is filled from its start to its end; what is overwritten or deleted lies idle in it. Once
 * too much does, the page with the fewest live bytes is emptied, a slice at a time: its live records are moved behind the newest.
 *
 * Invariants: of all bytes in records, at most those allowed by the idle share and IDLE_PAGES, and what one slice leaves, are idle; the slot
 * of each live record names its place.
 */
export class Arena {
  readonly #pageBytes: number;
  /** A place is a page and, in its lowest bits, a unit of it. */
  readonly #unitBits: number;
  readonly #pagesMax: number;
  readonly #slots: Slots;
  #pages: (Page | undefined)[] = [];
  #freeNumbers: number[] = [];
  #empty: Page[] = [];
  /** Where records are added. */
  #head: Page | undefined;
  /** The page that is being emptied, and how far. */
  #victim: Page | undefined;
  #scanned = 0;
  #usedBytes = 0;
  #liveBytes = 0;
  #records = 0;

  /** The record that {@link open} was called for: bytes `keyStart` to `valueStart` are its key, those up to `end` its value. */
  bytes: Buffer = Buffer.alloc(0);
  view: DataView = viewOf(this.bytes);
  keyStart = 0;
  valueStart = 0;
  end = 0;

  /** What {@link touch} read: a read that nobody needs is left out by the compiler. */
  touched = 0;

  /**
   * @param pageBytes - a power of two.
   * @param pagesMax - fewer than places can tell apart, if given.
   */
  constructor(slots: Slots, pageBytes: number, pagesMax = Infinity) {
    this.#slots = slots;
    this.#pageBytes = pageBytes;
    this.#unitBits = Math.log2(pageBytes / UNIT_BYTES);
    this.#pagesMax = Math.min(pagesMax, LARGE_PLACES >>> this.#unitBits);
  }

  /** Bytes of all pages. */
  get reservedBytes(): number {
    return (this.#pages.length - this.#freeNumbers.length) * this.#pageBytes;
  }

  /** Bytes of live records. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** Bytes of records that are live no more. */
  get idleBytes(): number {
    return this.#usedBytes - this.#liveBytes;
  }

  /**
   * Copies an entry in, and answers its place; undefined when no place is left.
   *
   * @param view - of the bytes in which both lie, where there is one at hand.
   */
  add(slot: number, key: ByteRange, value: ByteRange, view?: DataView): number | undefined {
    const keyLength = key.end - key.start;
    const valueLength = value.end - value.start;
    const size = recordBytes(keyLength + valueLength);
    const page = this.#pageFor(size);
    if (page === undefined) return undefined;
    const at = page.used;
    page.words[at / SLOT_BYTES] = slot;
    page.words[at / SLOT_BYTES + 1] = keyLength | (valueLength << 16);
    const contentAt = at + RECORD_HEADER_BYTES;
    if (key.bytes === value.bytes && key.end === value.start) {
      copy(key.bytes, key.start, value.end, page, contentAt, view);
    } else {
      copy(key.bytes, key.start, key.end, page, contentAt, view);
      copy(value.bytes, value.start, value.end, page, contentAt + keyLength, view);
    }
    return this.#added(page, size);
  }

  /** Puts a value in the place of the one of a record if it fits there exactly. */
  overwrite(place: number, value: ByteRange, view?: DataView): boolean {
    this.open(place);
    const keyLength = this.valueStart - this.keyStart;
    const valueLength = value.end - value.start;
    if (recordBytes(keyLength + valueLength) !== recordBytes(this.end - this.keyStart)) return false;
    const page = this.#pageOf(place);
    copy(value.bytes, value.start, value.end, page, this.valueStart, view);
    page.words[this.#offsetOf(place) / SLOT_BYTES + 1] = keyLength | (valueLength << 16);
    return true;
  }

  /** Looks at a record. What it shows is good until the next change. */
  open(place: number): void {
    const page = this.#pageOf(place);
    const at = this.#offsetOf(place);
    const lengths = page.words[at / SLOT_BYTES + 1] ?? 0;
    this.bytes = page.bytes;
    this.view = page.view;
    this.keyStart = at + RECORD_HEADER_BYTES;
    this.valueStart = this.keyStart + (lengths & 0xffff);
    this.end = this.valueStart + (lengths >>> 16);
  }

  /** Whether the record at a place, which may be none of the arena's, has this key. False also for a key that is long. */
  hasShortKey(place: number, view: DataView, start: number, end: number): boolean {
    const length = end - start;
    if (place >= LARGE_PLACES || length > WORDS_BYTES_MAX) return false;
    const page = this.#pageOf(place);
    const offset = this.#offsetOf(place);
    if (((page.words[offset / SLOT_BYTES + 1] ?? 0) & 0xffff) !== length) return false;
    return isSameByWords(view, start, end, page.view, offset + RECORD_HEADER_BYTES);
  }

  /** Whether a value of this length is short, and could be put in the place of the one of a record. */
  hasRoomFor(place: number, valueBytes: number): boolean {
    if (valueBytes > WORDS_BYTES_MAX) return false;
    const lengths = this.#pageOf(place).words[this.#offsetOf(place) / SLOT_BYTES + 1] ?? 0;
    const keyLength = lengths & 0xffff;
    return recordBytes(keyLength + valueBytes) === recordBytes(keyLength + (lengths >>> 16));
  }

  /** Puts a value in the place of the one of a record that has room for it, and answers how many bytes more it has. */
  replaceShort(place: number, view: DataView, start: number, end: number): number {
    const page = this.#pageOf(place);
    const offset = this.#offsetOf(place);
    const lengthsAt = offset / SLOT_BYTES + 1;
    const lengths = page.words[lengthsAt] ?? 0;
    const keyLength = lengths & 0xffff;
    copyByWords(view, start, end, page.view, offset + RECORD_HEADER_BYTES + keyLength);
    page.words[lengthsAt] = keyLength | ((end - start) << 16);
    return end - start - (lengths >>> 16);
  }

  /** Has the beginnings of the records at these places fetched, which need not all be the arena's. Nothing depends on what is read. */
  touch(places: Uint32Array, count: number): void {
    const pages = this.#pages;
    const unitBits = this.#unitBits;
    const unitMask = (1 << unitBits) - 1;
    let read = 0;
    for (let at = 0; at < count; at++) {
      const place = places[at] ?? 0;
      const words = pages[place >>> unitBits]?.words;
      if (words !== undefined) read |= words[(place & unitMask) * (UNIT_BYTES / SLOT_BYTES)] ?? 0;
    }
    this.touched = read;
  }

  /** Says that a record is live no more, and reclaims a slice of what is idle if that is too much. Its slot must not name it any more. */
  free(place: number): void {
    const page = this.#pageOf(place);
    const size = recordBytesAt(page, this.#offsetOf(place));
    page.live -= size;
    this.#liveBytes -= size;
    this.#records--;
    if (page.live === 0 && page !== this.#head) this.#release(page);
    this.#reclaim(size);
  }

  clear(): void {
    this.#pages = [];
    this.#freeNumbers = [];
    this.#empty = [];
    this.#head = undefined;
    this.#victim = undefined;
    this.#usedBytes = 0;
    this.#liveBytes = 0;
    this.#records = 0;
  }

  /** Throws where an invariant does not hold. */
  verify(): void {
    let [used, live, records] = [0, 0, 0];
    for (const page of this.#pages) {
      if (page === undefined || this.#empty.includes(page)) continue;
      let found = 0;
      for (let at = PAGE_START; at < page.used; at += recordBytesAt(page, at)) {
        if (!this.#isLive(page, at)) continue;
        found += recordBytesAt(page, at);
        records++;
      }
      if (found !== page.live) throw new Error(`page ${String(page.number)} does not hold what it counts`);
      used += page.used - PAGE_START;
      live += found;
    }
    if (used !== this.#usedBytes || live !== this.#liveBytes || records !== this.#records)
      throw new Error('the sums of all pages are wrong');
  }

  #pageOf(place: number): Page {
    const page = this.#pages[place >>> this.#unitBits];
    if (page === undefined) throw new Error(`there is no page for place ${String(place)}`);
    return page;
  }

  #offsetOf(place: number): number {
    return (place & ((1 << this.#unitBits) - 1)) * UNIT_BYTES;
  }

  #placeOf(page: Page, at: number): number {
    return page.number * (1 << this.#unitBits) + at / UNIT_BYTES;
  }

  /** The page to add a record of this size to; undefined when no more pages can be told apart. */
  #pageFor(size: number): Page | undefined {
    const head = this.#head;
    if (head !== undefined && head.used + size <= this.#pageBytes) return head;
    const page = this.#empty.pop() ?? this.#makePage();
    if (page === undefined) return undefined;
    this.#head = page;
    // What was deleted from the page while it was filled may have been all of it.
    if (head?.live === 0) this.#release(head);
    return page;
  }

  #makePage(): Page | undefined {
    const number = this.#freeNumbers.pop() ?? this.#pages.length;
    if (number >= this.#pagesMax) return undefined;
    const memory = new ArrayBuffer(this.#pageBytes);
    const page = {
      number,
      bytes: Buffer.from(memory),
      words: new Int32Array(memory),
      view: new DataView(memory),
      used: PAGE_START,
      live: 0,
    };
    this.#pages[number] = page;
    return page;
  }

  #added(page: Page, size: number): number {
    const place = this.#placeOf(page, page.used);
    page.used += size;
    page.live += size;
    this.#usedBytes += size;
    this.#liveBytes += size;
    this.#records++;
    return place;
  }

  /** Takes back a page without live records. */
  #release(page: Page): void {
    if (page === this.#victim) this.#victim = undefined;
    this.#usedBytes -= page.used - PAGE_START;
    page.used = PAGE_START;
    if (this.#empty.length < EMPTY_PAGES_MAX) {
      this.#empty.push(page);
      return;
    }
    this.#pages[page.number] = undefined;
    this.#freeNumbers.push(page.number);
  }

  /** The part of what is live that may lie idle. */
  get #idleShare(): number {
    return this.#liveBytes < this.#records * LONG_RECORD_BYTES ? IDLE_SHARE : LONG_IDLE_SHARE;
  }

  /**
   * Makes up for bytes that fell idle. A page that is emptied has at most as large a share of live bytes as all of them have, 8/9 where
   * an eighth may lie idle: looking at 9 bytes gains one. Twice as much makes up for what falls idle in the meantime.
   */
  #reclaim(bytes: number): void {
    const lookAt = 2 * (1 + 1 / this.#idleShare) * bytes;
    for (let left = lookAt; left > 0;) {
      this.#victim ??= this.#nextVictim();
      const victim = this.#victim;
      if (victim === undefined) return;
      const at = this.#scanned;
      if (at >= victim.used)
        throw new Error(`page ${String(victim.number)} counts live records that it does not have`);
      const size = recordBytesAt(victim, at);
      // Nothing can be moved while no page is left to move it to.
      if (this.#isLive(victim, at) && !this.#moveRecord(victim, at, size)) return;
      this.#scanned += size;
      left -= size;
      if (victim.live === 0) this.#release(victim);
    }
  }

  /** The page with the fewest live bytes; undefined while little lies idle, or all of it in the newest page. */
  #nextVictim(): Page | undefined {
    const idleMax = Math.max(IDLE_PAGES * this.#pageBytes, this.#liveBytes * this.#idleShare);
    if (this.idleBytes <= idleMax) return undefined;
    let least: Page | undefined;
    for (const page of this.#pages) {
      if (page === undefined || page === this.#head || page.live === 0) continue;
      if (least === undefined || page.live < least.live) least = page;
    }
    if (least === undefined || least.live === least.used - PAGE_START) return undefined;
    this.#scanned = PAGE_START;
    return least;
  }

  #isLive(page: Page, at: number): boolean {
    const slot = page.words[at / SLOT_BYTES] ?? 0;
    return this.#slots.placeOf(slot >>> 0) === this.#placeOf(page, at);
  }

  #moveRecord(from: Page, at: number, size: number): boolean {
    const to = this.#pageFor(size);
    if (to === undefined) return false;
    if (size <= WORDS_BYTES_MAX) {
      const offset = (to.used - at) / SLOT_BYTES;
      for (let word = at / SLOT_BYTES; word < (at + size) / SLOT_BYTES; word++) {
        to.words[word + offset] = from.words[word] ?? 0;
      }
    } else {
      from.bytes.copy(to.bytes, to.used, at, at + size);
    }
    from.live -= size;
    this.#liveBytes -= size;
    this.#records--;
    const slot = (from.words[at / SLOT_BYTES] ?? 0) >>> 0;
    this.#slots.move(slot, this.#added(to, size));
    return true;
  }
}
