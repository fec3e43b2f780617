import { readWhole } from './files.js';
import type { Files } from './files.js';
import type { LogSegment } from './log-segment.js';

/** A larger segment is read only once nothing of the one before it is needed any more, so two of them are never held. */
export const AHEAD_BYTES_MAX = 32 * 1024 * 1024;

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
  const read = (segment: LogSegment): Promise<Buffer> => {
    const reading = readWhole(files, segment.file, spare);
    spare = undefined;
    // Whoever waits for it is told of a failure; until then nobody may be listening.
    reading.catch(() => undefined);
    return reading;
  };
  let ahead: Promise<Buffer> | undefined;
  for (const [at, segment] of segments.entries()) {
    const bytes = await (ahead ?? read(segment));
    const next = segments[at + 1];
    ahead = next !== undefined && next.header.size <= AHEAD_BYTES_MAX ? read(next) : undefined;
    try {
      await show(segment, bytes, at);
    } catch (error) {
      // Nobody may close or change the file under it.
      await ahead?.catch(() => undefined);
      throw error;
    }
    spare = bytes;
  }
}
