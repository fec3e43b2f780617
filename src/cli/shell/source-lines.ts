import { CR, LF } from '../../protocol/byte.js';

/** One line of a script, without its line ending. */
export interface SourceLine {
  /** Counted from 1. */
  readonly number: number;
  /** Undefined for a line that is longer than a request may be. */
  readonly bytes: Buffer | undefined;
  /** False for a last line that the end of the input cut off. */
  readonly terminated: boolean;
}

/**
 * The lines of an input, of any length together. Memory stays below the bound and one chunk: a line past the bound is
 * read to its end and not kept.
 */
export async function* sourceLines(
  source: AsyncIterable<Buffer>,
  lineBytesMax: number,
): AsyncGenerator<SourceLine> {
  let parts: Buffer[] = [];
  let length = 0;
  let number = 1;
  const take = (terminated: boolean): SourceLine => {
    const bytes = length > lineBytesMax ? undefined : withoutReturn(Buffer.concat(parts, length), terminated);
    parts = [];
    length = 0;
    return { number: number++, bytes, terminated };
  };
  const keep = (bytes: Buffer): void => {
    length += bytes.length;
    if (length > lineBytesMax) parts = [];
    else parts.push(bytes);
  };
  for await (const chunk of source) {
    let from = 0;
    for (let lf = chunk.indexOf(LF); lf !== -1; lf = chunk.indexOf(LF, from)) {
      keep(chunk.subarray(from, lf));
      from = lf + 1;
      yield take(true);
    }
    keep(chunk.subarray(from));
  }
  if (length > 0) yield take(false);
}

function withoutReturn(line: Buffer, terminated: boolean): Buffer {
  return terminated && line.at(-1) === CR ? line.subarray(0, -1) : line;
}
