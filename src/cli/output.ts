import { isUtf8 } from 'node:buffer';
import { QUOTED_BYTES_PER_BYTE_MAX, showWord, writeQuoted } from '../protocol/quoting.js';
import { CommandError, EXIT } from './exit.js';

/** Where results go, and what is known about it. */
export interface Output {
  /** A person sees it. Bytes that a terminal would act on must not reach it. */
  readonly isTerminal: boolean;
  readonly colour: boolean;
  /** Resolves once the stream has taken the bytes; rejects when it cannot. */
  write(bytes: string | Buffer): Promise<void>;
}

export function standardOutput(environment: NodeJS.ProcessEnv): Output {
  const isTerminal = process.stdout.isTTY;
  return {
    isTerminal,
    colour: isTerminal && (environment.NO_COLOR ?? '') === '' && environment.TERM !== 'dumb',
    write: (bytes) =>
      new Promise((resolve, reject) => {
        process.stdout.write(bytes, (error) => {
          if (error instanceof Error) reject(outputError(error));
          else resolve();
        });
      }),
  };
}

/** A reader that went away is told apart by its code; anything else is worth a line. */
function outputError(error: NodeJS.ErrnoException): Error {
  if (error.code === 'EPIPE') return error;
  const reason = error.code ?? error.message;
  return new CommandError(EXIT.failed, `the result cannot be written (${reason}): see where stdout goes`);
}

const PIECE_LENGTH = 64 * 1024;

/** Writes many lines in pieces, never holding more than one piece beside the lines themselves. */
export async function writeLines(output: Output, lines: Iterable<string>): Promise<void> {
  let piece = '';
  for (const line of lines) {
    piece += `${line}\n`;
    if (piece.length < PIECE_LENGTH) continue;
    await output.write(piece);
    piece = '';
  }
  if (piece !== '') await output.write(piece);
}

/** Text of the server's own, without what a terminal would act on. */
export function plainText(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

/**
 * A word as the protocol shows it, without what a terminal would act on: to the protocol, U+0080 to U+009F are
 * characters like others.
 */
export function showOnTerminal(bytes: Buffer, blanksAllowed: boolean): string {
  const shown = showWord(bytes, blanksAllowed);
  if (!/[\u0080-\u009f]/.test(shown)) return shown;
  const quoted = Buffer.allocUnsafe(QUOTED_BYTES_PER_BYTE_MAX * bytes.length + 2);
  const text = quoted.toString('utf8', 0, writeQuoted(quoted, 0, bytes, 0, bytes.length));
  return text.replace(/[\u0080-\u009f]/g, (character) => `\\xc2\\x${character.charCodeAt(0).toString(16)}`);
}

/**
 * Bytes as members of a JSON object: text under `name`, and bytes that are no valid UTF-8 in base64 under
 * `nameBase64`.
 */
export function jsonMember(name: string, bytes: Buffer): Record<string, string> {
  if (isUtf8(bytes)) return { [name]: bytes.toString('utf8') };
  return { [`${name}Base64`]: bytes.toString('base64') };
}
