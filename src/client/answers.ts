import { KvError } from './errors.js';
import type { KvReply } from './reply.js';
import { DECODERS } from './values.js';
import type { Decode } from './values.js';

/** What `STATUS` answers. Names and values are the server's own; a newer one may name more. */
export interface StatusReport {
  readonly facts: ReadonlyMap<string, string>;
  /** One map for each member: `member` is its address, then `role`, `state`, `acked`, `lag` and more. */
  readonly members: readonly ReadonlyMap<string, string>[];
}

/** What a promotion found and decided. Positions are written `term:index`. */
export interface PromotionReport {
  /** The new term, as people count it. */
  readonly term: number;
  /** The end of the new primary's log. */
  readonly position: string;
  /** How far the log of each member goes; undefined where it did not answer. */
  readonly found: readonly { readonly address: string; readonly position: string | undefined }[];
  /** Members that take part no more. `addBackup` brings them back. */
  readonly leftOut: readonly string[];
  /** The primary that handed over. */
  readonly handedOverBy: string | undefined;
  /** Only when data loss was accepted: up to here the data is known, and what was acknowledged behind it is lost. */
  readonly knownUpTo: string | undefined;
}

/*
 * Each function reads the reply to one kind of call. It is undefined when nothing was asked for, and so nothing was
 * sent.
 */
type Reply = KvReply | undefined;

export function valueOrNothing<Value>(decode: Decode<Value>, reply: Reply): Value | undefined | KvError {
  if (reply?.kind === 'null') return undefined;
  return reply?.kind === 'value' ? decode(reply.bytes) : unexpected();
}

export function done(reply: Reply): undefined | KvError {
  return reply === undefined || reply.kind === 'ok' ? undefined : unexpected(true);
}

export function found(reply: Reply): boolean | KvError {
  if (reply?.kind === 'null') return false;
  return reply?.kind === 'ok' ? true : unexpected(true);
}

export function integer(reply: Reply): number | KvError {
  return reply?.kind === 'integer' ? reply.value : unexpected();
}

export function isOne(reply: Reply): boolean | KvError {
  const count = integer(reply);
  return count instanceof KvError ? count : count > 0;
}

export function values<Value>(decode: Decode<Value>, reply: Reply): (Value | undefined)[] | KvError {
  if (reply === undefined) return [];
  if (reply.kind !== 'list') return unexpected();
  const values: (Value | undefined)[] = [];
  for (const item of reply.items) {
    if (item.kind !== 'value' && item.kind !== 'null') return unexpected();
    const value = item.kind === 'value' ? decode(item.bytes) : undefined;
    if (value instanceof KvError) return value;
    values.push(value);
  }
  return values;
}

export function keys<Value>(decode: Decode<Value>, reply: Reply): Value[] | KvError {
  if (reply?.kind !== 'list') return unexpected();
  const keys: Value[] = [];
  for (const item of reply.items) {
    if (item.kind !== 'value') return unexpected();
    const key = decode(item.bytes);
    if (key instanceof KvError) return key;
    keys.push(key);
  }
  return keys;
}

/** One page of a scan. The cursor `0` ends it. */
export interface ScanPage<Value> {
  readonly cursor: string;
  readonly keys: readonly Value[];
}

/** A list of the next cursor and a list of keys. */
export function scanPage<Value>(decode: Decode<Value>, reply: Reply): ScanPage<Value> | KvError {
  if (reply?.kind !== 'list' || reply.items.length !== 2) return unexpected();
  const [cursor, page] = reply.items;
  if (cursor?.kind !== 'value' || page?.kind !== 'list') return unexpected();
  const found = keys(decode, page);
  return found instanceof KvError ? found : { cursor: cursor.bytes.toString('latin1'), keys: found };
}

export function pong(reply: Reply): undefined | KvError {
  return reply?.kind === 'text' ? undefined : unexpected();
}

/** Whatever was answered. */
export function anything(reply: Reply): KvReply | KvError {
  return reply ?? unexpected();
}

export function fields(reply: Reply): Map<string, string> | KvError {
  return reply?.kind === 'ok' ? readFields(reply.fields) : unexpected();
}

export function position(reply: Reply): string | KvError {
  const found = fields(reply);
  return found instanceof KvError ? found : (found.get('position') ?? unexpected());
}

export function status(reply: Reply): StatusReport | KvError {
  const lines = keys(DECODERS.buffer, reply);
  if (lines instanceof KvError) return lines;
  const facts = new Map<string, string>();
  const members: Map<string, string>[] = [];
  for (const bytes of lines) {
    const line = bytes.toString('utf8');
    const equals = line.indexOf('=');
    if (equals < 1) return unexpected();
    const name = line.slice(0, equals);
    if (name === 'member') members.push(readFields(line));
    else facts.set(name, line.slice(equals + 1));
  }
  return { facts, members };
}

export function promotion(reply: Reply): PromotionReport | KvError {
  if (reply?.kind !== 'ok') return unexpected(true);
  const facts = readFields(reply.fields);
  const [term, position] = [facts.get('term'), facts.get('position')];
  if (term === undefined || !/^\d{1,15}$/.test(term) || position === undefined) return unexpected(true);
  return {
    term: Number(term),
    position,
    found: listOf(facts.get('found')).map(readFound),
    leftOut: listOf(facts.get('left_out')),
    handedOverBy: facts.get('handed_over_by'),
    knownUpTo: facts.get('known_up_to'),
  };
}

function listOf(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(',');
}

/** `host:port@term:index`, or `host:port@none`. */
function readFound(text: string): PromotionReport['found'][number] {
  const at = text.lastIndexOf('@');
  const position = text.slice(at + 1);
  return { address: text.slice(0, Math.max(0, at)), position: position === 'none' ? undefined : position };
}

function readFields(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const field of text.split(' ')) {
    const equals = field.indexOf('=');
    if (equals > 0) fields.set(field.slice(0, equals), field.slice(equals + 1));
  }
  return fields;
}

/** A well-formed reply that cannot be the answer to what was asked. */
function unexpected(outcomeUnknown = false): KvError {
  const message = 'the reply does not fit the request: check that client and server are of one version';
  return new KvError('BAD_REPLY', message, { outcomeUnknown });
}
