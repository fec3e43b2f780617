import type { ByteRange, Engine, Refusal, ScanBounds, ScanPage } from '../engine.js';
import { refusal } from '../engine.js';
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { RunCommand } from './command.js';
import { compileGlob, matchesGlob } from './glob.js';
import type { Glob } from './glob.js';
import { readScanWords } from './scan-words.js';
import { settle } from './settle.js';

/** Comparisons of one page of keys with a pattern, so that no page takes long. */
const COMPARISONS_A_PAGE = 1_000_000;

/** A walk over the keys, and which of them to list. */
interface Listing {
  readonly pages: AsyncIterable<ScanPage | Refusal>;
  readonly glob: Glob | undefined;
  /** What to do when the list is longer than a reply may be. */
  readonly advice: string;
}

/** Begins a walk. The pattern is copied here, before the request's bytes are gone. */
function walk(
  engine: Engine,
  cursor: number,
  pattern: ByteRange | undefined,
  bounds: ScanBounds,
): Omit<Listing, 'advice'> {
  const glob = pattern && compileGlob(pattern.bytes.subarray(pattern.start, pattern.end));
  const places = glob === undefined ? 0 : glob.places.length;
  const pages = engine.scan(cursor, {
    ...bounds,
    ...(places === 0 ? {} : { pageKeyBytesMax: Math.ceil(COMPARISONS_A_PAGE / places) }),
  });
  return { pages, glob };
}

/** Lists the keys of a walk; `begin` is called before the first of them. */
async function list(
  listing: Listing,
  reply: Reply,
  begin: (cursor: number) => void,
): Promise<Refusal | undefined> {
  let hasBegun = false;
  for await (const page of listing.pages) {
    if ('code' in page) return page;
    if (!hasBegun) begin(page.cursor);
    hasBegun = true;
    for (const key of page.keys) {
      if (listing.glob === undefined || matchesGlob(listing.glob, key)) reply.key(key, 0, key.length);
    }
    if (reply.isFull)
      return refusal('TOO_LARGE', `the list is longer than a reply may be: ${listing.advice}`);
  }
  return undefined;
}

async function listKeys(request: Request, engine: Engine, reply: Reply): Promise<void> {
  const mark = reply.length;
  const listing = {
    ...walk(engine, 0, request.words[1], {}),
    advice: 'give KEYS a narrower pattern, or use SCAN',
  };
  const refused = await list(listing, reply, () => {
    reply.beginList();
  });
  end(reply, mark, refused, 1);
}

async function scan(request: Request, engine: Engine, reply: Reply): Promise<void> {
  const words = readScanWords(request.words.slice(1));
  if ('code' in words) {
    reply.error(words);
    return;
  }
  const mark = reply.length;
  const { cursor, pattern, count } = words;
  const listing = {
    ...walk(engine, cursor, pattern, { keysMax: count }),
    advice: 'give SCAN a smaller COUNT',
  };
  const refused = await list(listing, reply, (next) => {
    reply.beginList(2);
    reply.item(String(next));
    reply.beginList();
  });
  end(reply, mark, refused, 2);
}

function end(reply: Reply, mark: number, refused: Refusal | undefined, lists: number): void {
  if (refused === undefined) {
    for (let open = lists; open > 0; open--) reply.endList();
    return;
  }
  reply.rollBack(mark);
  reply.error(refused);
}

/** Commands that tell which keys there are. */
export const LISTING_COMMANDS: readonly RunCommand[] = [
  {
    name: 'KEYS',
    shape: 'pattern',
    effect: 'reads',
    answers: 'a list, in no promised order',
    summary: 'Lists the keys, or those that match a pattern of `*`, `?`, `[a-z]`, `[^a]`, `\\`.',
    isQuick: () => false,
    run(request, engine, reply, done) {
      settle(listKeys(request, engine, reply), reply, done);
    },
  },
  {
    name: 'SCAN',
    shape: 'scan',
    effect: 'reads',
    answers: 'a list: the next cursor, then keys',
    summary: 'Lists some of the keys, from a cursor on; see below.',
    isQuick: () => false,
    run(request, engine, reply, done) {
      settle(scan(request, engine, reply), reply, done);
    },
  },
  {
    name: 'DBSIZE',
    shape: 'nothing',
    effect: 'reads',
    answers: 'how many keys there are',
    summary: 'Counts the keys.',
    isQuick: () => true,
    run(_request, engine, reply, done) {
      const count = engine.count();
      if (typeof count === 'number') reply.integer(count);
      else reply.error(count);
      done();
    },
  },
];
