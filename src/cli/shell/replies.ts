import type { ErrorReply, KvReply } from '../../client/reply.js';
import { plainText } from '../output.js';
import type { Painter } from '../status-view.js';

/** How a word is shown; `blanksAllowed` as in the protocol's own. */
export type ShowWord = (bytes: Buffer, blanksAllowed: boolean) => string;

/** Commands whose lists hold keys, which can be given back as they are shown. */
const LISTING_KEYS: ReadonlySet<string> = new Set(['KEYS', 'SCAN']);
/** Commands whose lists are lines of the server's own text. */
const TELLING: ReadonlySet<string> = new Set(['STATUS', 'INFO']);

/**
 * The lines that show a reply, as the line framing does: one item a line, and `END n` behind a list.
 *
 * @param name - of the command, in capitals.
 */
export function* replyLines(
  reply: KvReply | ErrorReply,
  name: string,
  show: ShowWord,
  paint: Painter,
): Generator<string> {
  switch (reply.kind) {
    case 'ok':
      yield paint.good('OK') + (reply.fields === '' ? '' : ` ${plainText(reply.fields)}`);
      return;
    case 'null':
      yield paint.name('NULL');
      return;
    case 'integer':
      yield String(reply.value);
      return;
    case 'text':
      yield plainText(reply.text);
      return;
    case 'error':
      yield paint.bad(plainText(`ERROR ${reply.code} ${reply.message}`));
      return;
    case 'value':
      if (TELLING.has(name)) yield* textLines(reply.bytes);
      else yield show(reply.bytes, !LISTING_KEYS.has(name));
      return;
    case 'list': {
      let count = 0;
      for (const item of leaves(reply.items)) {
        count++;
        yield* replyLines(item, name, show, paint);
      }
      yield paint.name(`END ${String(count)}`);
    }
  }
}

/** Lists in lists stand in one row, as they do in the line framing. */
function* leaves(items: readonly (KvReply | ErrorReply)[]): Generator<KvReply | ErrorReply> {
  for (const item of items) {
    if (item.kind === 'list') yield* leaves(item.items);
    else yield item;
  }
}

function* textLines(bytes: Buffer): Generator<string> {
  for (const line of bytes
    .toString('utf8')
    .replace(/\r?\n$/, '')
    .split(/\r?\n/))
    yield plainText(line);
}
