import type { CallReply } from './call.js';
import { KvError } from './errors.js';

/** What `STATUS` answers. Names and values are the server's own; a newer one may name more. */
export interface StatusReport {
  readonly facts: ReadonlyMap<string, string>;
  /** One map for each member: `member` is its address, then `role`, `state`, `acked` and `lag`. */
  readonly members: readonly ReadonlyMap<string, string>[];
}

/*
 * Each function reads the reply to one kind of call. It is undefined when nothing was asked for, and so nothing was
 * sent.
 */
type Reply = CallReply | undefined;

export function valueOrNothing(reply: Reply): Buffer | undefined | KvError {
  if (reply?.kind === 'null') return undefined;
  return reply?.kind === 'value' ? reply.bytes : unexpected();
}

export function done(reply: Reply): undefined | KvError {
  return reply === undefined || reply.kind === 'ok' ? undefined : unexpected(true);
}

export function found(reply: Reply): boolean | KvError {
  if (reply?.kind === 'null') return false;
  return reply?.kind === 'ok' ? true : unexpected(true);
}

export function integer(reply: Reply): number | KvError {
  if (reply?.kind !== 'value') return unexpected();
  const text = reply.bytes.toString('latin1');
  return /^\d{1,15}$/.test(text) ? Number(text) : unexpected();
}

export function isOne(reply: Reply): boolean | KvError {
  const count = integer(reply);
  return count instanceof KvError ? count : count > 0;
}

export function values(reply: Reply): (Buffer | undefined)[] | KvError {
  if (reply === undefined) return [];
  return reply.kind === 'list' ? [...reply.items] : unexpected();
}

export function keys(reply: Reply): Buffer[] | KvError {
  if (reply?.kind !== 'list') return unexpected();
  const keys = reply.items.filter((item) => item !== undefined);
  return keys.length === reply.items.length ? keys : unexpected();
}

export function pong(reply: Reply): undefined | KvError {
  return reply?.kind === 'value' ? undefined : unexpected();
}

export function fields(reply: Reply): Map<string, string> | KvError {
  return reply?.kind === 'ok' ? readFields(reply.fields) : unexpected();
}

export function position(reply: Reply): string | KvError {
  const found = fields(reply);
  return found instanceof KvError ? found : (found.get('position') ?? unexpected());
}

export function status(reply: Reply): StatusReport | KvError {
  if (reply?.kind !== 'list') return unexpected();
  const facts = new Map<string, string>();
  const members: Map<string, string>[] = [];
  for (const item of reply.items) {
    const line = item?.toString('utf8') ?? '';
    const equals = line.indexOf('=');
    if (equals < 1) return unexpected();
    const name = line.slice(0, equals);
    if (name === 'member') members.push(readFields(line));
    else facts.set(name, line.slice(equals + 1));
  }
  return { facts, members };
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
