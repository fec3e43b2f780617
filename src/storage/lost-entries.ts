import path from 'node:path';
import type { Index } from '../engine.js';
import { lastIndexOf } from '../log/frame.js';
import type { Frame } from '../log/frame.js';
import { asDiskFull } from './blank-segments.js';
import type { Files } from './files.js';

const READ_BYTES = 1024 * 1024;
const TEMPORARY_NAME = 'lost.new';

/**
 * Keeps entries that the log is about to lose in a file of their own: their frames, one behind the other, as
 * described in log/frame.ts. Nothing that was ever kept is overwritten.
 *
 * @param after - the entry before the first one to keep, where a frame ends.
 * @returns the file, durable; undefined when there is nothing to keep.
 */
export async function keepLostEntries(
  files: Files,
  directory: string,
  after: Index,
  read: (after: Index, bytesMax: number) => Promise<readonly Frame[] | 'trimmed'>,
): Promise<string | undefined> {
  let frames = await read(after, READ_BYTES);
  const [first] = frames;
  if (frames === 'trimmed' || first === undefined || typeof first === 'string') return undefined;
  const temporary = path.join(directory, TEMPORARY_NAME);
  try {
    const file = await files.create(temporary);
    try {
      let size = 0;
      while (frames !== 'trimmed') {
        const last: Frame | undefined = frames.at(-1);
        if (last === undefined) break;
        const bytes = Buffer.concat(frames.map((frame) => frame.bytes.subarray(frame.start, frame.end)));
        await file.write(bytes, size);
        size += bytes.length;
        frames = await read(lastIndexOf(last), READ_BYTES);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    const kept = await freeName(files, directory, String(first.term));
    await files.rename(temporary, kept);
    await files.syncDirectory(directory);
    return kept;
  } catch (error) {
    await files.remove(temporary).catch(() => undefined);
    throw asDiskFull(error, directory);
  }
}

async function freeName(files: Files, directory: string, term: string): Promise<string> {
  let name = path.join(directory, `lost-${term}.log`);
  for (let number = 2; await files.exists(name); number++) {
    name = path.join(directory, `lost-${term}-${String(number)}.log`);
  }
  return name;
}
