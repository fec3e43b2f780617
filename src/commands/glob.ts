/**
 * Patterns for keys, as Redis has them, over bytes: `*` any bytes, `?` one byte, `[abc]`, `[a-z]`, `[^a]`
 * one byte of a set, `\` takes the next byte as it is.
 *
 * Time is at most the product of both lengths, whatever the pattern: only the last `*` is ever gone back to.
 */

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const DASH = 0x2d;
const BACKSLASH = 0x5c;

/** What one place of the pattern asks of the key. */
type Place =
  /** Any bytes, none included. */
  | 'star'
  /** Whether each byte may stand here. */
  | readonly boolean[]
  /** This byte. */
  | number;

/** A pattern in a form that costs one look for each byte, however long its sets are. */
export interface Glob {
  readonly places: readonly Place[];
}

const ANY: readonly boolean[] = new Array<boolean>(256).fill(true);

export function compileGlob(pattern: Buffer): Glob {
  const places: Place[] = [];
  for (let at = 0; at < pattern.length;) {
    const byte = pattern[at] ?? 0;
    if (byte === OPEN) {
      const set = compileSet(pattern, at + 1);
      places.push(set.bytes);
      at = set.next;
    } else if (byte === BACKSLASH && at + 1 < pattern.length) {
      places.push(pattern[at + 1] ?? 0);
      at += 2;
    } else {
      // Two stars say no more than one.
      if (byte !== STAR || places.at(-1) !== 'star') {
        places.push(byte === STAR ? 'star' : byte === QUESTION ? ANY : byte);
      }
      at++;
    }
  }
  return { places };
}

/** Whether the whole key matches the whole pattern. */
export function matchesGlob({ places }: Glob, key: Buffer): boolean {
  let at = 0;
  let from = 0;
  let star = -1;
  let starFrom = 0;
  while (from < key.length) {
    const place = places[at];
    if (place === 'star') {
      star = at++;
      starFrom = from;
    } else if (place !== undefined && allows(place, key[from] ?? 0)) {
      at++;
      from++;
    } else if (star !== -1) {
      at = star + 1;
      from = ++starFrom;
    } else {
      return false;
    }
  }
  while (places[at] === 'star') at++;
  return at === places.length;
}

function allows(place: number | readonly boolean[], byte: number): boolean {
  return typeof place === 'number' ? place === byte : place[byte] === true;
}

/** The set whose opening bracket stands before `from`; one without an end reaches to the end of the pattern. */
function compileSet(pattern: Buffer, from: number): { readonly bytes: boolean[]; readonly next: number } {
  let at = from;
  const isNegated = pattern[at] === CARET;
  if (isNegated) at++;
  const bytes = new Array<boolean>(256).fill(isNegated);
  while (at < pattern.length && pattern[at] !== CLOSE) {
    if (pattern[at] === BACKSLASH && at + 1 < pattern.length) at++;
    const first = pattern[at] ?? 0;
    let last = first;
    if (pattern[at + 1] === DASH && at + 2 < pattern.length && pattern[at + 2] !== CLOSE) {
      at += 2;
      if (pattern[at] === BACKSLASH && at + 1 < pattern.length) at++;
      last = pattern[at] ?? 0;
    }
    bytes.fill(!isNegated, Math.min(first, last), Math.max(first, last) + 1);
    at++;
  }
  return { bytes, next: Math.min(at + 1, pattern.length) };
}
