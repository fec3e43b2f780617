import { isBlank } from './byte.js';

/**
 * The first words of other protocols. Browsers can be made to send requests to any port, so what looks like HTTP is
 * answered with an error and a close, and never executed: not even `PUT /path HTTP/1.1`, which would be a
 * well-formed command.
 */
const TLS_HANDSHAKE = 0x16;

export type Foreign = 'HTTP' | 'TLS' | 'SSH';

/** What the very first byte of a connection gives away. A TLS hello has no line ending to wait for. */
export function foreignFirstByte(byte: number): Foreign | undefined {
  return byte === TLS_HANDSHAKE ? 'TLS' : undefined;
}

/** What a whole line gives away. */
export function foreignLine(line: Buffer, start: number, end: number, isFirst: boolean): Foreign | undefined {
  if (isFirst) {
    const tail = Math.max(start, end - ' HTTP/1.1'.length);
    if (startsWith(line, tail, end, ' HTTP/1.1') || startsWith(line, tail, end, ' HTTP/1.0')) return 'HTTP';
    if (startsWith(line, start, end, 'SSH-')) return 'SSH';
  }
  if (startsWith(line, start, end, 'Host:')) return 'HTTP';
  const post = startsWith(line, start, end, 'POST') && (start + 4 === end || isBlank(line[start + 4]));
  return post ? 'HTTP' : undefined;
}

function startsWith(line: Buffer, start: number, end: number, text: string): boolean {
  if (end - start < text.length) return false;
  for (let at = 0; at < text.length; at++) {
    if (line[start + at] !== text.charCodeAt(at)) return false;
  }
  return true;
}
