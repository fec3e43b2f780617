import { readCommandLine } from '../../src/cli/command-line.js';
import { readServerOptions } from '../../src/cli/commands/server.js';
import type { StartOptions } from '../../src/cli/start-server.js';
import { asArray, asLine } from './hostile-bytes.js';

/** What `kv server` makes of these words, without the address and the file. */
export function serverOptions(line: string): Partial<StartOptions> {
  const read = readCommandLine(['server', ...line.split(' ')]);
  if (read.kind !== 'run') throw new Error(`kv server ${line} is ${JSON.stringify(read)}`);
  const { limits, dataBytesMax, fsync } = readServerOptions(read.invocation, {});
  return { limits, dataBytesMax, fsync };
}

export type Framing = 'line' | 'resp';
export const FRAMINGS: readonly Framing[] = ['line', 'resp'];

/** Patterns of the replies, by framing. */
export interface Replies {
  readonly ok: string;
  readonly null: string;
  readonly pong: string;
  integer(value: number): string;
  error(code: string): string;
}

export const REPLIES: Readonly<Record<Framing, Replies>> = {
  line: {
    ok: 'OK\n',
    null: 'NULL\n',
    pong: 'PONG\n',
    integer: (value) => `${String(value)}\n`,
    error: (code) => `ERROR ${code} [^\n]+\n`,
  },
  resp: {
    ok: '\\+OK\r\n',
    null: '\\$-1\r\n',
    pong: '\\+PONG\r\n',
    integer: (value) => `:${String(value)}\r\n`,
    error: (code) => `-${code} [^\r\n]+\r\n`,
  },
};

export function framed(framing: Framing, words: readonly string[]): Buffer {
  const bytes = words.map((word) => Buffer.from(word, 'latin1'));
  return framing === 'line' ? asLine(bytes) : asArray(bytes);
}
