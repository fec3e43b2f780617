import path from 'node:path';
import type { Position } from '../engine.js';
import { endOf, readFrame } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import type { KeptFile } from './check-report.js';
import type { Damages } from './damages.js';
import { damaged } from './fault.js';
import type { Files, OpenFile } from './files.js';
import { IMPORTED_NAME } from './import.js';

const READ_BYTES = 1024 * 1024;

const KINDS: readonly (readonly [RegExp, KeptFile['kind']])[] = [
  [/^torn-segment-\d+-\d+$/, 'torn end'],
  [/^lost-\d+(-\d+)?\.log$/, 'lost entries'],
  [/^damaged-\d+\.json$/, 'damaged snapshot'],
  [new RegExp(`^${IMPORTED_NAME}$`), 'imported file'],
];

/** What a file of this name was kept for; undefined for other names. */
export function keptKind(name: string): KeptFile['kind'] | undefined {
  return KINDS.find(([pattern]) => pattern.test(name))?.[1];
}

/** Looks at what was kept, as far as it says by itself whether it is whole: lost entries do. */
export async function checkKept(
  files: Files,
  directory: string,
  names: readonly string[],
  damages: Damages,
): Promise<KeptFile[]> {
  const found: KeptFile[] = [];
  for (const name of [...names].sort()) {
    const kind = keptKind(name);
    if (kind === undefined) continue;
    const file = path.join(directory, name);
    const content: KeptContent = { bytes: 0, entries: undefined, first: undefined, last: undefined };
    await damages.during(file, async () => {
      content.bytes = await sizeOf(files, file);
      if (kind === 'lost entries') await readLost(files, file, content);
      if (kind === 'imported file' && content.bytes === 0) throw damaged(file, 'it is empty', 0);
    });
    found.push({ file, kind, ...content });
  }
  return found;
}

interface KeptContent {
  bytes: number;
  entries: number | undefined;
  first: Position | undefined;
  last: Position | undefined;
}

export async function sizeOf(files: Files, file: string): Promise<number> {
  const open = await files.openToRead(file);
  return open.size().finally(() => open.close());
}

async function readLost(files: Files, file: string, content: KeptContent): Promise<void> {
  const open = await files.openToRead(file);
  content.entries = 0;
  let end: LogEnd | undefined;
  try {
    for await (const { frame, offset } of framesIn(open, content.bytes)) {
      if (frame === undefined) throw damaged(file, 'a frame does not hold', offset);
      const follows =
        end === undefined || (frame.previous === end.checksum && frame.firstIndex === end.index + 1);
      if (!follows) throw damaged(file, 'a frame does not follow the one before it', offset);
      end = endOf(frame);
      content.entries += frame.count;
      content.first ??= { term: frame.term, index: frame.firstIndex };
      content.last = { term: end.term, index: end.index };
    }
  } finally {
    await open.close();
  }
}

/** The frames of a file, one behind the other; `undefined` last where one does not hold. */
async function* framesIn(file: OpenFile, size: number): AsyncGenerator<PlacedFrame, void> {
  let window = READ_BYTES;
  for (let offset = 0; offset < size;) {
    const bytes = Buffer.allocUnsafeSlow(Math.min(window, size - offset));
    const filled = await file.read(bytes, offset);
    const isLast = filled === 0 || offset + filled >= size;
    let at = 0;
    while (at < filled || filled === 0) {
      const frame = readFrame(bytes, at, filled);
      if (frame === 'cut short' && !isLast) break;
      yield { frame: typeof frame === 'string' ? undefined : frame, offset: offset + at };
      if (typeof frame === 'string') return;
      at = frame.end;
    }
    // One frame may be larger than what is read at a time.
    window = at === 0 ? window * 2 : READ_BYTES;
    offset += at;
  }
}

interface PlacedFrame {
  readonly frame: Frame | undefined;
  readonly offset: number;
}
