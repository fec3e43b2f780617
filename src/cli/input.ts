import { constants, openSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { systemClock } from '../clock.js';
import { DEFAULT_REQUEST_LIMITS } from '../protocol/limits.js';
import { CommandError, EXIT, UsageError } from './exit.js';

const BYTES_MAX = DEFAULT_REQUEST_LIMITS.valueBytesMax;

/** The whole of stdin. A pipe has until `endMs` to end; a person who types has any time. */
export function readStandardInput(endMs: number): Promise<Buffer> {
  const { stdin } = process;
  return readAll(stdin, 'stdin', isTerminal(stdin) ? Infinity : endMs);
}

function isTerminal(stream: { readonly isTTY?: boolean }): boolean {
  return stream.isTTY === true;
}

/** The whole of a file, or of a pipe that has a name; both have until `endMs`. */
export async function readFileBytes(path: string, endMs: number): Promise<Buffer> {
  try {
    const kind = await stat(path);
    if (kind.isDirectory()) throw new UsageError(`--file ${path} is a directory: name a file`);
    if (kind.isFIFO()) return await readPipe(path, endMs);
    const file = await open(path, 'r');
    return await readAll(file.createReadStream(), path, endMs);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    throw new UsageError(`--file ${path} cannot be read (${String(error.code)})`);
  }
}

/**
 * A pipe is opened without waiting for its writer and read as a socket is: a thread that waited in the system's
 * `open` or `read` could not be called back, and would hold the process beyond its time.
 */
function readPipe(path: string, endMs: number): Promise<Buffer> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const socket = new Socket({ fd, readable: true, writable: false });
  return readAll(socket, path, endMs);
}

async function readAll(source: Readable, name: string, endMs: number): Promise<Buffer> {
  const late = new CommandError(
    EXIT.unreachable,
    `${name} did not end in time, and nothing was sent: allow more with --timeout`,
  );
  const timer =
    endMs === Infinity
      ? undefined
      : systemClock.after(Math.max(0, endMs - systemClock.nowMs()), () => source.destroy(late));
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > BYTES_MAX) {
        const bound = `a value has at most ${String(BYTES_MAX)} bytes`;
        throw new CommandError(EXIT.refused, `${name} is too large: ${bound}, so store it in parts`);
      }
      chunks.push(chunk);
    }
  } finally {
    timer?.cancel();
    source.destroy();
  }
  return Buffer.concat(chunks, length);
}
