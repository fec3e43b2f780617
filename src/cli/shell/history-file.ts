import { appendFile, mkdir, open, stat } from 'node:fs/promises';
import path from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import { isWrite } from '../../commands/command.js';
import { readTypedLine } from './typed-line.js';
import { typedWords } from './typed-words.js';

/** What is read back, and what a file is cut to. */
export const HISTORY_LINES_MAX = 1000;
/** A longer line is not kept: it is a value that was pasted, and would push everything else out. */
export const HISTORY_LINE_BYTES_MAX = 4096;
/** Beyond this many lines a file is cut. Shells append meanwhile, so it is done seldom, and when one of them starts. */
const CUT_FROM_LINES = 2 * HISTORY_LINES_MAX;
/** Of a file that something else wrote, no more than this is looked at. */
const READ_BYTES_MAX = 4 * 1024 * 1024;

/** The newest lines of a history file, the oldest of them first. One that is not there is empty. */
export async function readHistory(file: string): Promise<string[]> {
  const { lines, isCut } = await readNewest(file);
  const kept = lines.slice(-HISTORY_LINES_MAX);
  // A file that stands for another, such as /dev/null, stays what it is.
  if (lines.length > CUT_FROM_LINES || isCut) {
    await writeFileAtomic(file, kept.map((line) => `${line}\n`).join(''), { mode: 0o600 });
  }
  return kept;
}

async function readNewest(file: string): Promise<{ lines: string[]; isCut: boolean }> {
  const size = await regularFileBytes(file);
  if (size === 0) return { lines: [], isCut: false };
  const handle = await open(file, 'r');
  try {
    const length = Math.min(size, READ_BYTES_MAX);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    const lines = buffer.toString('utf8', 0, bytesRead).split('\n');
    const isCut = length < size;
    return { lines: lines.slice(isCut ? 1 : 0).filter((line) => line !== ''), isCut };
  } finally {
    await handle.close();
  }
}

async function regularFileBytes(file: string): Promise<number> {
  try {
    const found = await stat(file);
    return found.isFile() ? found.size : 0;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0;
    throw error;
  }
}

/** Puts a line behind those that this and other shells wrote. Only the user may read a file that is made. */
export async function appendHistory(file: string, line: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await appendFile(file, `${line}\n`, { mode: 0o600 });
}

/**
 * What is kept of a line in the file; undefined for nothing. A line that begins with a blank is not kept. Without values
 * a line ends before its first one, so that it cannot be done by mistake when it is called up again; and what is no
 * command is not kept at all, since nobody can tell what in it is a value.
 */
export function lineToKeep(line: string, withValues: boolean): string | undefined {
  if (/^\s|^$/.test(line) || Buffer.byteLength(line) > HISTORY_LINE_BYTES_MAX) return undefined;
  if (withValues) return line;
  const bytes = Buffer.from(line, 'utf8');
  const typed = readTypedLine(bytes);
  if (typed.kind === 'own') return line;
  if (typed.kind !== 'command') return undefined;
  const { command } = typed;
  if (!isWrite(command) || command.shape === 'key' || command.shape === 'keys') return line;
  return bytes.toString('utf8', 0, typedWords(bytes)[1]?.end ?? 0);
}
