import type { Index } from '../../src/engine.js';
import { FrameBuilder } from '../../src/log/entry.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import type { Term } from '../../src/engine.js';
import { range } from './engine-fixture.js';

/** A frame that puts one key for each entry, behind `previous`. */
export function frameAfter(previous: LogEnd, { count = 1, valueBytes = 1, term = 1 } = {}): Frame {
  const builder = new FrameBuilder();
  for (let at = 1; at <= count; at++) {
    const key = range(`k${String(previous.index + at)}`);
    builder.append({ kind: 'put', key, value: range(Buffer.alloc(valueBytes, 'v')) });
  }
  return builder.seal(term as Term, (previous.index + 1) as Index, previous.checksum);
}

/** Frames that follow one another, of one entry each. */
export function chain(length: number, valueBytes = 1, start: LogEnd = EMPTY_LOG): Frame[] {
  const frames: Frame[] = [];
  for (let end = start; frames.length < length; end = endOf(frames.at(-1)!)) {
    frames.push(frameAfter(end, { valueBytes }));
  }
  return frames;
}
