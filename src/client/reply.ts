import type { RespReply } from '../protocol/resp-reply-reader.js';

/** An error as a server answers it. */
export interface ErrorReply {
  readonly kind: 'error';
  /** A stable code, such as `NO_QUORUM`. */
  readonly code: string;
  readonly message: string;
}

/** What a server answered to one command, whatever the command. An error is not among them: it fails the call. */
export type KvReply =
  /** Done. `fields` is what stands behind the `OK`: `name=value …`, or nothing. */
  | { readonly kind: 'ok'; readonly fields: string }
  /** A short text of the server's own, such as `PONG`. */
  | { readonly kind: 'text'; readonly text: string }
  /** A key, a value, or other bytes. */
  | { readonly kind: 'value'; readonly bytes: Buffer }
  | { readonly kind: 'integer'; readonly value: number }
  /** Nothing is there: no such key. */
  | { readonly kind: 'null' }
  /** Lists may lie within lists, and an item may be an error of its own. */
  | { readonly kind: 'list'; readonly items: readonly (KvReply | ErrorReply)[] };

/** Gives the types of the framing the meaning that they have between this client and its servers. */
export function readReply(reply: RespReply): KvReply | ErrorReply {
  switch (reply.kind) {
    case 'simple':
      return readSimple(reply.text);
    case 'error':
      return readError(reply.text);
    case 'bulk':
      return { kind: 'value', bytes: reply.bytes };
    case 'array':
      return { kind: 'list', items: reply.items.map(readReply) };
    case 'integer':
    case 'null':
      return reply;
  }
}

function readSimple(text: string): KvReply {
  if (text === 'OK') return { kind: 'ok', fields: '' };
  return text.startsWith('OK ') ? { kind: 'ok', fields: text.slice('OK '.length) } : { kind: 'text', text };
}

/**
 * Redis's clients know two errors by their first word, so servers use Redis's words for these: `READONLY` is
 * `NOT_PRIMARY`, and `ERR` is a command that is not there, or that has the wrong words.
 */
function readError(text: string): ErrorReply {
  const end = text.indexOf(' ');
  const code = end === -1 ? text : text.slice(0, end);
  const message = end === -1 ? '' : text.slice(end + 1);
  if (code === 'READONLY') return { kind: 'error', code: 'NOT_PRIMARY', message };
  if (code !== 'ERR') return { kind: 'error', code, message };
  const isUnknown = /^unknown (sub)?command\b/i.test(message);
  return { kind: 'error', code: isUnknown ? 'UNKNOWN_COMMAND' : 'SYNTAX', message };
}
