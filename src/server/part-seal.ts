import { createCipheriv } from 'node:crypto';
import type { CipherGCM, KeyObject } from 'node:crypto';

/**
 * The tags of the parts that travel in one direction of one link. Each is bound to that link, by its key, and to its place
 * in it, by a counter that is never sent: what is changed, left out, repeated, moved or comes from elsewhere does not fit.
 *
 * GMAC (NIST SP 800-38D): AES-256-GCM that enciphers nothing. Measured against HMAC-SHA256 cut to 16 bytes, in
 * microseconds a part, the best of four rounds: 3.0 and 2.3 for 200 bytes, 36 and 153 for 256 KiB. So it costs a catch-up
 * at 300 MB/s 4 % of a core at each end, and not 17 %. What GMAC must never do is use a counter twice with one key; the key
 * is fresh for each link and direction.
 */
export class PartSeal {
  readonly #key: KeyObject;
  readonly #nonce = Buffer.alloc(NONCE_BYTES);
  #count = 0;
  #mac: CipherGCM | undefined;

  constructor(key: KeyObject) {
    this.#key = key;
  }

  /** Begins the next part. */
  begin(): void {
    this.#nonce.writeUInt32BE(Math.floor(this.#count / 2 ** 32), AT_COUNT);
    this.#nonce.writeUInt32BE(this.#count % 2 ** 32, AT_COUNT + 4);
    this.#count++;
    this.#mac = createCipheriv('aes-256-gcm', this.#key, this.#nonce);
  }

  add(bytes: Uint8Array): void {
    // Once there is something to encipher nothing more can be added here, and there never is.
    this.#mac?.setAAD(bytes);
  }

  /** The tag of what was added since `begin`. */
  end(): Buffer {
    if (this.#mac === undefined) throw new Error('no part was begun');
    this.#mac.final();
    const tag = this.#mac.getAuthTag();
    this.#mac = undefined;
    return tag;
  }
}

export const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const AT_COUNT = 4;
