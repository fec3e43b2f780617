import type { ScanPage } from './answers.js';
import type { CallOptions } from './call.js';
import type { Bytes } from './requests.js';

/** Which keys to walk over, and how. */
export interface ScanOptions extends CallOptions {
  /** A glob, as for `keys`. */
  readonly match?: Bytes;
  /** About how many keys the server looks at for one page. 1,000 when not given. */
  readonly count?: number;
}

/**
 * Walks over keys page by page. Nothing is fetched before it is asked for and nothing is open between two pages, so a walk
 * that is left early leaves nothing behind.
 *
 * @param begin - makes a function that fetches the page at a cursor. Called for each walk.
 */
export function scanKeys<Key>(begin: () => (cursor: string) => Promise<ScanPage<Key>>): AsyncIterable<Key> {
  return {
    [Symbol.asyncIterator]() {
      const walk = walkPages(begin());
      // What a loop asks for it also awaits; who asks by hand may not.
      const quiet = <Result>(promise: Promise<Result>): Promise<Result> => {
        promise.catch(() => undefined);
        return promise;
      };
      return {
        next: () => quiet(walk.next()),
        return: () => quiet(walk.return(undefined)),
      };
    },
  };
}

async function* walkPages<Key>(
  fetchPage: (cursor: string) => Promise<ScanPage<Key>>,
): AsyncGenerator<Key, undefined> {
  let cursor = '0';
  do {
    const page = await fetchPage(cursor);
    yield* page.keys;
    cursor = page.cursor;
  } while (cursor !== '0');
  return undefined;
}
