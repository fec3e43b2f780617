import type { ErrorReply, KvReply } from '../../client/reply.js';
import type { ShellSession } from './session.js';

/** What a lookup found within its bounds. */
export interface KeysFound {
  readonly keys: readonly Buffer[];
  /** There may be more. */
  readonly isPartial: boolean;
}

export interface LookupBounds {
  readonly keysMax: number;
  readonly timeoutMs: number;
}

/** How many keys the server is to look at for one page. */
const PAGE_KEYS = '10000';
/** A pattern is at most as long as the server takes. */
const PATTERN_BYTES_MAX = 256;
const GLOB_BYTES: ReadonlySet<number> = new Set(Buffer.from('*?[]\\'));

/** The keys that begin with these bytes. Where the server does not answer in time: those that were found until then. */
export async function keysWithPrefix(
  session: Pick<ShellSession, 'ask'>,
  prefix: Buffer,
  { keysMax, timeoutMs }: LookupBounds,
  nowMs: () => number,
): Promise<KeysFound> {
  const pattern = Buffer.concat([escapeGlob(prefix), Buffer.from('*')]);
  if (pattern.length > PATTERN_BYTES_MAX) return { keys: [], isPartial: true };
  const endMs = nowMs() + timeoutMs;
  const found = new Map<string, Buffer>();
  let cursor: Buffer = Buffer.from('0');
  for (let leftMs = timeoutMs; leftMs > 0; leftMs = endMs - nowMs()) {
    const words = ['SCAN', cursor, 'MATCH', pattern, 'COUNT', PAGE_KEYS];
    const reply = await session.ask(words, leftMs);
    const page = reply?.kind === 'list' ? readPage(reply.items) : undefined;
    if (page === undefined) break;
    for (const key of page.keys) found.set(key.toString('latin1'), key);
    if (found.size > keysMax) return { keys: [...found.values()].slice(0, keysMax), isPartial: true };
    if (page.cursor.toString() === '0') return { keys: [...found.values()], isPartial: false };
    cursor = page.cursor;
  }
  return { keys: [...found.values()], isPartial: true };
}

interface Page {
  readonly cursor: Buffer;
  readonly keys: readonly Buffer[];
}

/** The cursor, then the keys: in a list of their own as in Redis, or behind it. */
function readPage(items: readonly (KvReply | ErrorReply)[]): Page | undefined {
  const [first, ...rest] = items;
  if (first === undefined) return undefined;
  const cursor = bytesOf(first);
  if (cursor === undefined) return undefined;
  const keys = rest.flatMap((item) => (item.kind === 'list' ? item.items : [item])).map(bytesOf);
  return { cursor, keys: keys.filter((key) => key !== undefined) };
}

function bytesOf(reply: KvReply | ErrorReply): Buffer | undefined {
  if (reply.kind === 'value') return reply.bytes;
  if (reply.kind === 'text') return Buffer.from(reply.text);
  return reply.kind === 'integer' ? Buffer.from(String(reply.value)) : undefined;
}

/** Bytes that mean something in a pattern, made to mean themselves. */
function escapeGlob(bytes: Buffer): Buffer {
  const escaped: number[] = [];
  for (const byte of bytes) {
    if (GLOB_BYTES.has(byte)) escaped.push(0x5c);
    escaped.push(byte);
  }
  return Buffer.from(escaped);
}
