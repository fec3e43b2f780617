import type { Files, OpenFile } from './files.js';
import type { LogSegment } from './log-segment.js';

/** A larger segment is read only once nothing of the one before it is needed any more, so two of them are never held. */
export const AHEAD_BYTES_MAX = 32 * 1024 * 1024;

/** A segment that is being read. */
interface Reading {
  readonly open: OpenFile;
  readonly bytes: Buffer;
  readonly filled: Promise<number>;
}

/**
 * Shows the bytes of segments, one segment after the other, and reads the next one meanwhile. They are borrowed until `show` has
 * resolved, but for the last one's: the memory of a segment is used for the one after the next.
 */
export async function eachSegment(
  files: Files,
  segments: readonly LogSegment[],
  show: (segment: LogSegment, bytes: Buffer, at: number) => Promise<void>,
): Promise<void> {
  let spare: Buffer | undefined;
  let ahead: Reading | undefined;
  for (const [at, segment] of segments.entries()) {
    const bytes = await finish(ahead ?? (await begin(files, segment, spare)));
    const next = segments[at + 1];
    const isAhead = next !== undefined && next.header.size <= AHEAD_BYTES_MAX;
    // It is under way before this one is shown, which may take long and give nothing else a turn.
    ahead = isAhead ? await begin(files, next, spare) : undefined;
    try {
      await show(segment, bytes, at);
    } catch (error) {
      if (ahead !== undefined) await finish(ahead).catch(() => undefined);
      throw error;
    }
    spare = bytes;
  }
}

async function begin(files: Files, { file }: LogSegment, memory: Buffer | undefined): Promise<Reading> {
  const open = await files.open(file);
  try {
    const size = await open.size();
    const bytes = memory?.length === size ? memory : Buffer.allocUnsafeSlow(size);
    const filled = open.read(bytes, 0);
    // Whoever finishes it is told of a failure; until then nobody may be listening.
    filled.catch(() => undefined);
    return { open, bytes, filled };
  } catch (error) {
    await open.close();
    throw error;
  }
}

async function finish({ open, bytes, filled }: Reading): Promise<Buffer> {
  try {
    return bytes.subarray(0, await filled);
  } finally {
    await open.close();
  }
}
