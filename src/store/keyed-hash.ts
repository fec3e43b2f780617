/** Bytes of the secret that a keyed hash is made with. */
export const HASH_SECRET_BYTES = 8;

/**
 * HalfSipHash-1-3 with a result of 32 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012; its half-width
 * form with fewer rounds is what the Linux kernel uses for hash tables).
 *
 * Whoever does not know the secret cannot choose keys that share a hash, also not by trying keys and watching how long they take.
 * A multiplicative hash that merely starts from a secret does not have this property.
 */
export class KeyedHash {
  readonly #low: number;
  readonly #high: number;

  /** @param secret - {@link HASH_SECRET_BYTES} random bytes. */
  constructor(secret: Buffer) {
    this.#low = secret.readInt32LE(0);
    this.#high = secret.readInt32LE(4);
  }

  /** The hash of the bytes from `start` up to `end`, as a signed number of 32 bits. */
  of(view: DataView, start: number, end: number): number {
    // To the compiler a field that a constructor fills may hold anything, and so may all that is made of it: 37 ns for 16 bytes
    // with this, 56 without; a view in place of the bytes made 30 of 37.
    let v0 = this.#low | 0;
    let v1 = this.#high | 0;
    let v2 = 0x6c796765 ^ v0;
    let v3 = 0x74656462 ^ v1;
    // The message in words of four bytes, the last one with the length in it, and then three rounds that take in nothing.
    const lastWordAt = start + ((end - start) & ~3);
    const finishAt = lastWordAt + 4;
    const stop = finishAt + 3 * 4;
    for (let at = start; at < stop; at += 4) {
      const word =
        at < lastWordAt ? view.getInt32(at, true) : at === lastWordAt ? tail(view, at, end, start) : 0;
      if (at === finishAt) v2 ^= 0xff;
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    return v1 ^ v3;
  }
}

/** What is left of the message behind its whole words, and its length in the highest byte. */
function tail(view: DataView, at: number, end: number, start: number): number {
  let word = (end - start) << 24;
  for (let shift = 0; at < end; at++, shift += 8) word |= view.getUint8(at) << shift;
  return word;
}
