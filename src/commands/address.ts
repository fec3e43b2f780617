import type { ByteRange } from '../engine.js';
import { parseAddress } from '../protocol/address.js';
import type { Address, InvalidAddress } from '../protocol/address.js';

/** Past this it is no address, whatever it says, and is not made a text of. */
const ADDRESS_BYTES_MAX = 300;

/** The address that a word names. */
export function readAddress(word: ByteRange): Address | InvalidAddress {
  const end = Math.min(word.end, word.start + ADDRESS_BYTES_MAX + 1);
  return parseAddress(word.bytes.toString('utf8', word.start, end));
}
