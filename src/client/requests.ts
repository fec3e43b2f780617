import { showAddress } from '../protocol/address.js';
import type { Address } from '../protocol/address.js';
import { DEFAULT_REQUEST_LIMITS } from '../protocol/limits.js';
import { encodeRespRequest } from '../protocol/resp-request.js';
import type { CallRequest, Effect } from './call.js';
import { concernsTheConnection, effectOf } from './effects.js';
import { KvError } from './errors.js';

/** A key or a value. Text travels as UTF-8; bytes are copied before the call returns. */
export type Bytes = string | Uint8Array;

const LIMITS = DEFAULT_REQUEST_LIMITS;
/** From here on a request may be on its way, or keep a server busy, for a time that says nothing about the server. */
const LONG_WORDS = 10_000;
const LONG_BYTES = 1024 * 1024;

/*
 * Each function checks what can be checked before anything is sent, and throws a KvError. A request that asks for
 * nothing is undefined.
 */

export function get(key: Bytes): CallRequest {
  return request('reads', 'GET', [keyBytes(key)]);
}

export function put(key: Bytes, value: Bytes): CallRequest {
  return request('writes', 'PUT', [keyBytes(key), valueBytes(value)]);
}

export function remove(key: Bytes): CallRequest {
  return request('writes', 'DELETE', [keyBytes(key)]);
}

export function exists(key: Bytes): CallRequest {
  return request('reads', 'EXISTS', [keyBytes(key)]);
}

export function keys(glob: Bytes | undefined): CallRequest {
  return request('reads', 'KEYS', glob === undefined ? [] : [toBuffer('glob', glob)]);
}

export function getMany(keys: readonly Bytes[]): CallRequest | undefined {
  checkIsArray('keys', keys);
  return keys.length === 0 ? undefined : request('reads', 'MGET', keys.map(keyBytes));
}

export function putMany(pairs: Iterable<readonly [Bytes, Bytes]>): CallRequest | undefined {
  const words: Buffer[] = [];
  if (!isIterable(pairs)) {
    throw new KvError(
      'BAD_OPTION',
      `the pairs are ${kindOf(pairs)}: give an array or a Map of keys and values`,
    );
  }
  for (const [key, value] of pairs) words.push(keyBytes(key), valueBytes(value));
  return words.length === 0 ? undefined : request('writes', 'MSET', words);
}

/** One page of a scan. */
export function scan(cursor: string, match: Bytes | undefined, count: number): CallRequest {
  const words: Buffer[] = [Buffer.from(cursor, 'latin1')];
  if (match !== undefined) words.push(Buffer.from('MATCH'), toBuffer('match', match));
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new KvError('BAD_OPTION', 'count is a whole number above 0');
  }
  words.push(Buffer.from('COUNT'), Buffer.from(String(count)));
  return request('reads', 'SCAN', words);
}

/** A command without arguments. */
export function bare(effect: Effect, name: string): CallRequest {
  return request(effect, name, []);
}

/** Any command, as its words. */
export function command(words: readonly Bytes[]): CallRequest {
  checkIsArray('words', words);
  const [name, ...rest] = words.map((word) => toBuffer('word', word));
  if (name === undefined || name.length === 0) throw new KvError('SYNTAX', 'a command begins with its name');
  const text = name.toString('latin1');
  if (concernsTheConnection(text)) {
    throw new KvError('BAD_OPTION', `${text} is about a connection, and all calls of a client share theirs`);
  }
  return request(effectOf(text), text, rest);
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
  return request(
    'manages',
    name,
    words.map((word) => Buffer.from(word)),
  );
}

function request(effect: Effect, name: string, words: readonly Buffer[]): CallRequest {
  if (words.length >= LIMITS.wordsMax) {
    throw new KvError('TOO_LARGE', `more than ${String(LIMITS.wordsMax)} words in one request: split it`);
  }
  const bytes = encodeRespRequest([Buffer.from(name, 'latin1'), ...words]);
  if (bytes.length > LIMITS.requestBytesMax) {
    const lengths = `${String(bytes.length)} bytes on the wire, and ${String(LIMITS.requestBytesMax)} are the most`;
    throw new KvError('TOO_LARGE', `the request takes ${lengths}: split it`);
  }
  const isLong = name.toUpperCase() === 'KEYS' || words.length > LONG_WORDS || bytes.length > LONG_BYTES;
  return { bytes, effect, isLong };
}

/** What is not typed right comes from a caller that no compiler has looked at. */
function toBuffer(what: string, bytes: Bytes): Buffer {
  if (typeof bytes === 'string') return Buffer.from(bytes, 'utf8');
  if (ArrayBuffer.isView(bytes)) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  throw new KvError('BAD_OPTION', `the ${what} is ${kindOf(bytes)}: give a string, or bytes as a Uint8Array`);
}

/** Never the thing itself: a message may be logged, and values may be secret. */
function kindOf(given: unknown): string {
  if (given === undefined || given === null) return String(given);
  return Array.isArray(given) ? 'an array' : `of type ${typeof given}`;
}

function isIterable(given: unknown): boolean {
  return typeof given === 'object' && given !== null && Symbol.iterator in given;
}

function checkIsArray(what: string, given: unknown): void {
  if (Array.isArray(given)) return;
  throw new KvError('BAD_OPTION', `the ${what} are ${kindOf(given)}: give an array`);
}

function keyBytes(key: Bytes): Buffer {
  const bytes = toBuffer('key', key);
  if (bytes.length === 0) throw new KvError('SYNTAX', 'the key is empty: name one');
  return checkLength('key', bytes, LIMITS.keyBytesMax);
}

function valueBytes(value: Bytes): Buffer {
  return checkLength('value', toBuffer('value', value), LIMITS.valueBytesMax);
}

function checkLength(what: string, bytes: Buffer, bytesMax: number): Buffer {
  if (bytes.length <= bytesMax) return bytes;
  const lengths = `${String(bytes.length)} bytes, and ${String(bytesMax)} are the most`;
  throw new KvError('TOO_LARGE', `the ${what} has ${lengths}: store it in parts`);
}
