import type { Index } from '../engine.js';
import { endOf, lastIndexOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import type { SegmentHeader } from './segment.js';
import { SEGMENT_HEADER_BYTES } from './segment.js';

/** Between two places that are remembered in a segment. Looking for an entry costs one read of this size. */
export const PLACE_BYTES = 64 * 1024;

/** The record at `offset` follows the entry `after`. */
export interface Place {
  readonly after: Index;
  readonly offset: number;
}

/** A segment of the log, and what is known of its inside. */
export interface LogSegment {
  readonly header: SegmentHeader;
  readonly file: string;
  /** Behind its last record: where the next one goes. */
  end: number;
  /** Where some of its records begin, oldest first, the first record's place among them. */
  readonly places: Place[];
}

export function logSegment(header: SegmentHeader, file: string): LogSegment {
  const after = (header.firstIndex - 1) as Index;
  return { header, file, end: SEGMENT_HEADER_BYTES, places: [{ after, offset: SEGMENT_HEADER_BYTES }] };
}

/** Notes that the segment holds one record more, which ends at `end`. */
export function addRecord(segment: LogSegment, frame: Frame, end: number): void {
  segment.end = end;
  const last = segment.places.at(-1)?.offset ?? 0;
  if (end - last >= PLACE_BYTES) segment.places.push({ after: lastIndexOf(frame), offset: end });
}

/** Throws where frames do not follow the end of a log one behind the other. */
export function checkFollow(frames: readonly Frame[], end: LogEnd): void {
  let { index, checksum } = end;
  for (const frame of frames) {
    if (frame.previous !== checksum || frame.firstIndex !== index + 1) {
      throw new Error(`frame ${String(frame.firstIndex)} does not follow entry ${String(index)}`);
    }
    ({ index, checksum } = endOf(frame));
  }
}

/**
 * For each segment, the first index that a later one holds in its place; infinite for the last.
 *
 * A log is cut by beginning a segment that goes on from an earlier entry: whatever stands at or behind its first index
 * in earlier segments is the log's no more. A segment that is overridden from its own first index on is dead.
 */
export function overriddenFrom(segments: readonly { readonly header: SegmentHeader }[]): number[] {
  const from: number[] = [];
  let least = Infinity;
  for (const { header } of [...segments].reverse()) {
    from.push(least);
    least = Math.min(least, header.firstIndex);
  }
  return from.reverse();
}
