/** An index cell: the hash of a key, and its slot + 1. A free cell has 0 in place of a slot. */
const CELL_WORDS = 2;
/** A bucket is split when more of its cells than this are in use. */
const LOAD_MAX = 0.75;
/** The highest bits of a hash name a bucket, the lowest a cell in it: they must not meet. */
const HASH_BITS = 32;
const BUCKETS_A_PAGE_BITS = 8;
const BUCKETS_A_PAGE = 2 ** BUCKETS_A_PAGE_BITS;
const NONE = -1;

/**
 * Finds slots by the hash of their keys: extendible hashing (Fagin, Nievergelt, Pippenger, Strong 1979) with linear probing
 * inside a bucket. It grows by splitting one bucket at a time, so no operation moves more cells than a bucket has.
 *
 * Invariants: a bucket of depth d holds the hashes that share their first d bits, and 2^(depth - d) entries of the directory,
 * side by side, name it; in a bucket, from the cell that a hash names to the cell that holds it there is no free cell.
 *
 * Usage: `first` and `next` go over the slots whose keys may have a hash; `remove` takes out the one that was answered last.
 */
export class KeyIndex {
  readonly #cells: number;
  readonly #mask: number;
  readonly #fillMax: number;
  readonly #depthMax: number;
  /** The buckets' cells, so many buckets side by side. */
  #pages: Int32Array[] = [];
  /** By bucket. */
  #depths: number[] = [];
  #fills: number[] = [];
  #depth = 1;
  #directory = new Uint32Array(2);
  /** Where the search stands: a page, where its bucket begins, and the cell. */
  #page: Int32Array;
  #base = 0;
  #cell = 0;
  #bucket = 0;

  /** What {@link touch} read: a read that nobody needs is left out by the compiler. */
  touched = 0;

  /** @param cells - how many a bucket has, a power of two. */
  constructor(cells: number) {
    this.#cells = cells;
    this.#mask = cells - 1;
    this.#fillMax = Math.floor(cells * LOAD_MAX);
    this.#depthMax = HASH_BITS - Math.log2(cells);
    this.#page = this.#begin();
  }

  /** How many buckets there are. */
  get buckets(): number {
    return this.#depths.length;
  }

  /** The first slot whose key may have this hash; -1 when there is none. */
  first(hash: number): number {
    this.#enter(hash);
    return this.#search(hash);
  }

  /** Has the cells fetched where searches for these hashes begin. Nothing depends on what is read. */
  touch(hashes: Int32Array, count: number): void {
    const shift = HASH_BITS - this.#depth;
    let read = 0;
    for (let at = 0; at < count; at++) {
      const hash = hashes[at] ?? 0;
      const bucket = this.#directory[hash >>> shift] ?? 0;
      const page = this.#pages[bucket >>> BUCKETS_A_PAGE_BITS];
      const cell = (bucket & (BUCKETS_A_PAGE - 1)) * this.#cells + (hash & this.#mask);
      if (page !== undefined) read |= page[cell * CELL_WORDS] ?? 0;
    }
    this.touched = read;
  }

  /** The slot behind the one that was answered last. */
  next(hash: number): number {
    this.#cell = (this.#cell + 1) & this.#mask;
    return this.#search(hash);
  }

  /** Adds the slot of a key, right behind a search for its hash that has found nothing: where that ended, a cell is free. */
  add(hash: number, slot: number): void {
    while ((this.#fills[this.#bucket] ?? 0) >= this.#fillMax) {
      if (!this.#split(this.#bucket, hash)) break;
      this.#enter(hash);
      this.#cell = freeCell(this.#page, this.#base, this.#cell, this.#mask);
    }
    const fill = (this.#fills[this.#bucket] ?? 0) + 1;
    // Unreachable with hashes that nobody can choose: so many share the bits that name a bucket. A search ends at a free cell.
    if (fill === this.#cells) throw new RangeError('too many keys share a hash');
    const at = this.#base + this.#cell * CELL_WORDS;
    this.#page[at] = hash;
    this.#page[at + 1] = slot + 1;
    this.#fills[this.#bucket] = fill;
  }

  /** Takes out the slot that `first` or `next` answered last, and moves up what was pushed behind it. */
  remove(): void {
    const page = this.#page;
    const base = this.#base;
    const mask = this.#mask;
    let gap = this.#cell;
    for (let cell = (gap + 1) & mask; ; cell = (cell + 1) & mask) {
      const at = base + cell * CELL_WORDS;
      const marked = page[at + 1] ?? 0;
      if (marked === 0) break;
      const hash = page[at] ?? 0;
      if (((cell - hash) & mask) < ((cell - gap) & mask)) continue;
      page[base + gap * CELL_WORDS] = hash;
      page[base + gap * CELL_WORDS + 1] = marked;
      gap = cell;
    }
    page[base + gap * CELL_WORDS + 1] = 0;
    this.#fills[this.#bucket] = (this.#fills[this.#bucket] ?? 0) - 1;
  }

  clear(): void {
    this.#page = this.#begin();
  }

  /** Shows every hash and slot, and throws where an invariant does not hold. */
  verify(show: (hash: number, slot: number) => void): void {
    const named = new Map<number, number>();
    for (const bucket of this.#directory) named.set(bucket, (named.get(bucket) ?? 0) + 1);
    for (let bucket = 0; bucket < this.buckets; bucket++) {
      const depth = this.#depths[bucket] ?? 0;
      if (named.get(bucket) !== 2 ** (this.#depth - depth))
        throw new Error(`bucket ${String(bucket)} is misnamed`);
      let fill = 0;
      for (let cell = 0; cell < this.#cells; cell++) {
        const at = this.#baseOf(bucket) + cell * CELL_WORDS;
        const slot = (this.#pageOf(bucket)[at + 1] ?? 0) - 1;
        if (slot === NONE) continue;
        const hash = this.#pageOf(bucket)[at] ?? 0;
        fill++;
        let found = this.first(hash);
        while (found !== slot && found !== NONE) found = this.next(hash);
        if (found === NONE) throw new Error(`slot ${String(slot)} cannot be found`);
        show(hash, slot);
      }
      if (fill !== this.#fills[bucket])
        throw new Error(`bucket ${String(bucket)} does not hold what it counts`);
    }
  }

  #begin(): Int32Array {
    this.#pages = [];
    this.#depths = [];
    this.#fills = [];
    this.#depth = 1;
    this.#directory = Uint32Array.of(this.#addBucket(1), this.#addBucket(1));
    return this.#pageOf(0);
  }

  #enter(hash: number): void {
    const bucket = this.#directory[hash >>> (HASH_BITS - this.#depth)] ?? 0;
    this.#bucket = bucket;
    this.#page = this.#pageOf(bucket);
    this.#base = this.#baseOf(bucket);
    this.#cell = hash & this.#mask;
  }

  #search(hash: number): number {
    const page = this.#page;
    const base = this.#base;
    const mask = this.#mask | 0;
    for (let cell = this.#cell; ; cell = (cell + 1) & mask) {
      const at = base + cell * CELL_WORDS;
      const marked = page[at + 1] ?? 0;
      if (marked !== 0 && page[at] !== hash) continue;
      this.#cell = cell;
      return marked - 1;
    }
  }

  /** Gives half of a bucket's hashes a bucket of their own; false when there is no bit left to tell them apart. */
  #split(bucket: number, hash: number): boolean {
    const depth = this.#depths[bucket] ?? 0;
    if (depth === this.#depthMax) return false;
    if (depth === this.#depth) this.#doubleDirectory();
    const added = this.#addBucket(depth + 1);
    this.#depths[bucket] = depth + 1;
    const named = 2 ** (this.#depth - depth);
    const first = (hash >>> (HASH_BITS - depth)) * named;
    this.#directory.fill(added, first + named / 2, first + named);
    this.#share(bucket, depth);
    return true;
  }

  /** Moves those cells of a bucket that was split to the newest bucket whose hashes have the bit that now tells the two apart. */
  #share(bucket: number, depth: number): void {
    const base = this.#baseOf(bucket);
    const words = this.#cells * CELL_WORDS;
    const page = this.#pageOf(bucket);
    const old = page.slice(base, base + words);
    page.fill(0, base, base + words);
    const added = this.buckets - 1;
    const addedPage = this.#pageOf(added);
    const addedBase = this.#baseOf(added);
    const bit = 1 << (HASH_BITS - 1 - depth);
    let moved = 0;
    for (let at = 0; at < words; at += CELL_WORDS) {
      const hash = old[at] ?? 0;
      const marked = old[at + 1] ?? 0;
      if (marked === 0) continue;
      const moves = (hash & bit) !== 0;
      if (moves) moved++;
      putCell(moves ? addedPage : page, moves ? addedBase : base, hash, marked, this.#mask);
    }
    this.#fills[added] = moved;
    this.#fills[bucket] = (this.#fills[bucket] ?? 0) - moved;
  }

  #doubleDirectory(): void {
    const doubled = new Uint32Array(this.#directory.length * 2);
    for (const [at, bucket] of this.#directory.entries()) doubled.fill(bucket, 2 * at, 2 * at + 2);
    this.#directory = doubled;
    this.#depth++;
  }

  #addBucket(depth: number): number {
    const bucket = this.buckets;
    if (bucket % BUCKETS_A_PAGE === 0) {
      this.#pages.push(new Int32Array(BUCKETS_A_PAGE * this.#cells * CELL_WORDS));
    }
    this.#depths.push(depth);
    this.#fills.push(0);
    return bucket;
  }

  #pageOf(bucket: number): Int32Array {
    const page = this.#pages[bucket >>> BUCKETS_A_PAGE_BITS];
    if (page === undefined) throw new Error(`there is no bucket ${String(bucket)}`);
    return page;
  }

  #baseOf(bucket: number): number {
    return (bucket & (BUCKETS_A_PAGE - 1)) * this.#cells * CELL_WORDS;
  }
}

/** The first free cell from this one on, in the bucket that begins at `base`. */
function freeCell(page: Int32Array, base: number, cell: number, mask: number): number {
  while (page[base + cell * CELL_WORDS + 1] !== 0) cell = (cell + 1) & mask;
  return cell;
}

function putCell(page: Int32Array, base: number, hash: number, marked: number, mask: number): void {
  const at = base + freeCell(page, base, hash & mask, mask) * CELL_WORDS;
  page[at] = hash;
  page[at + 1] = marked;
}
