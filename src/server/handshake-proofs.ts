import { createHmac, createSecretKey, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/**
 * What the two ends of a link prove to each other, and with what they seal what they say afterwards. Everything comes from
 * the secret of the cluster by HMAC-SHA256 (RFC 2104) and HKDF (RFC 5869), each under a label of its own, so nothing that
 * one end says in one role can be used in another one.
 */

/** Fewer bytes could be found by trying: whoever connects is given something to try them on. */
export const SECRET_BYTES_MIN = 16;
export const SECRET_BYTES_MAX = 4096;

/** What a proof is for. */
export type ProofLabel = 'listener' | 'opener' | 'accepted' | 'refused';

/** The keys of one link, as one of its ends uses them. */
export interface LinkKeys {
  readonly sending: KeyObject;
  readonly receiving: KeyObject;
}

const CONTEXT = 'understudy link 2';
const HASH = 'sha256';
const KEY_BYTES = 32;

/** The key of all handshakes. The secret itself is not needed any more, and no dump of objects shows the key. */
export function linkKey(secret: string | Uint8Array): KeyObject {
  const bytes = typeof secret === 'string' ? Buffer.from(secret) : secret;
  return createSecretKey(Buffer.from(hkdfSync(HASH, bytes, '', CONTEXT, KEY_BYTES)));
}

/** Why this cannot be the secret of a cluster; undefined when it can. Never holds the secret. */
export function secretObjection(secret: string | Uint8Array): string | undefined {
  const length = typeof secret === 'string' ? Buffer.byteLength(secret) : secret.length;
  if (length >= SECRET_BYTES_MIN && length <= SECRET_BYTES_MAX) return undefined;
  const bounds = `${String(SECRET_BYTES_MIN)} to ${String(SECRET_BYTES_MAX)} bytes`;
  const has = `the secret of the cluster has ${length > SECRET_BYTES_MAX ? 'more' : String(length)} bytes`;
  return `${has} and may have ${bounds}: make a good one with "openssl rand -hex 32"`;
}

/** @param said - everything that was said so far by both ends, up to the proof itself. */
export function prove(key: KeyObject, label: ProofLabel, said: string): string {
  return hmac(key, label, said).toString('hex');
}

export function isProven(key: KeyObject, label: ProofLabel, said: string, proof: string): boolean {
  const given = Buffer.from(proof, 'hex');
  const right = hmac(key, label, said);
  return given.length === right.length && timingSafeEqual(given, right);
}

/** @param said - the whole handshake: with its two nonces no other link ever has the same keys. */
export function linkKeys(key: KeyObject, said: string, isOpener: boolean): LinkKeys {
  const ofOpener = createSecretKey(hmac(key, 'opener to listener', said));
  const ofListener = createSecretKey(hmac(key, 'listener to opener', said));
  return isOpener
    ? { sending: ofOpener, receiving: ofListener }
    : { sending: ofListener, receiving: ofOpener };
}

function hmac(key: KeyObject, label: string, said: string): Buffer {
  return createHmac(HASH, key).update(`${CONTEXT} ${label}\n`).update(said).digest();
}
