import { showAddress } from '../protocol/address.js';
import type { Address } from '../protocol/address.js';
import { DEFAULT_REQUEST_LIMITS } from '../protocol/limits.js';
import { encodePut, encodeRequest } from '../protocol/line-request.js';
import type { ReplyShape } from '../protocol/line-reply-reader.js';
import type { CallRequest } from './call.js';
import { KvError } from './errors.js';

/** A key or a value. Text travels as UTF-8; bytes are copied before the call returns. */
export type Bytes = string | Uint8Array;

const LIMITS = DEFAULT_REQUEST_LIMITS;

/*
 * Each function checks what can be checked before anything is sent, and throws a KvError. A request that asks for
 * nothing is undefined.
 */

export function get(key: Bytes): CallRequest {
  return asRead(encodeRequest('GET', [keyBytes(key)]), 'single');
}

export function put(key: Bytes, value: Bytes): CallRequest {
  return asWrite(encodePut(keyBytes(key), valueBytes(value)));
}

export function remove(key: Bytes): CallRequest {
  return asWrite(encodeRequest('DELETE', [keyBytes(key)]));
}

export function exists(key: Bytes): CallRequest {
  return asRead(encodeRequest('EXISTS', [keyBytes(key)]), 'single');
}

export function keys(glob: Bytes | undefined): CallRequest {
  return asRead(encodeRequest('KEYS', glob === undefined ? [] : [toBuffer(glob)]), 'list');
}

export function getMany(keys: readonly Bytes[]): CallRequest | undefined {
  if (keys.length === 0) return undefined;
  checkWords(keys.length);
  return asRead(encodeRequest('MGET', keys.map(keyBytes)), 'list');
}

export function putMany(pairs: Iterable<readonly [Bytes, Bytes]>): CallRequest | undefined {
  const words: Buffer[] = [];
  for (const [key, value] of pairs) words.push(keyBytes(key), valueBytes(value));
  if (words.length === 0) return undefined;
  checkWords(words.length);
  return asWrite(encodeRequest('MSET', words));
}

/** A command without arguments that changes nothing. */
export function read(name: string, shape: ReplyShape): CallRequest {
  return asRead(encodeRequest(name, []), shape);
}

export function addBackup(address: Address): CallRequest {
  return asChange('ADD_BACKUP', [showAddress(address)]);
}

export function removeBackup(address: Address, backupIsDown: boolean): CallRequest {
  return asChange('REMOVE_BACKUP', [showAddress(address), ...(backupIsDown ? ['BACKUP_IS_DOWN'] : [])]);
}

export function promote(othersAreDown: boolean, acceptDataLoss: boolean): CallRequest {
  if (acceptDataLoss && !othersAreDown) {
    throw new KvError('BAD_OPTION', 'acceptDataLoss goes further than othersAreDown: give both');
  }
  const consents = [
    ...(othersAreDown ? ['OTHERS_ARE_DOWN'] : []),
    ...(acceptDataLoss ? ['ACCEPT_DATA_LOSS'] : []),
  ];
  return asChange('PROMOTE', consents);
}

function asChange(name: string, words: readonly string[]): CallRequest {
  const bytes = encodeRequest(
    name,
    words.map((word) => Buffer.from(word)),
  );
  return { bytes: checkSize(bytes), shape: 'single', effect: 'manages' };
}

function asRead(bytes: Buffer, shape: ReplyShape): CallRequest {
  return { bytes: checkSize(bytes), shape, effect: 'reads' };
}

function asWrite(bytes: Buffer): CallRequest {
  return { bytes: checkSize(bytes), shape: 'single', effect: 'writes' };
}

function toBuffer(bytes: Bytes): Buffer {
  if (typeof bytes === 'string') return Buffer.from(bytes, 'utf8');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function keyBytes(key: Bytes): Buffer {
  const bytes = toBuffer(key);
  if (bytes.length === 0) throw new KvError('SYNTAX', 'the key is empty: name one');
  return checkLength('key', bytes, LIMITS.keyBytesMax);
}

function valueBytes(value: Bytes): Buffer {
  return checkLength('value', toBuffer(value), LIMITS.valueBytesMax);
}

function checkLength(what: string, bytes: Buffer, bytesMax: number): Buffer {
  if (bytes.length <= bytesMax) return bytes;
  const lengths = `${String(bytes.length)} bytes, and ${String(bytesMax)} are the most`;
  throw new KvError('TOO_LARGE', `the ${what} has ${lengths}: store it in parts`);
}

function checkWords(count: number): void {
  if (count < LIMITS.wordsMax) return;
  throw new KvError('TOO_LARGE', `more than ${String(LIMITS.wordsMax)} words in one request: split it`);
}

function checkSize(bytes: Buffer): Buffer {
  if (bytes.length <= LIMITS.requestBytesMax) return bytes;
  const lengths = `${String(bytes.length)} bytes on the wire, and ${String(LIMITS.requestBytesMax)} are the most`;
  const reason = 'quotes, backslashes and line endings take two each';
  throw new KvError('TOO_LARGE', `the request takes ${lengths} (${reason}): split it`);
}
