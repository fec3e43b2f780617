/*
 * What a server answers, as it travels, each byte one character. Scripts of tests are written with these.
 */

export const OK = '+OK\r\n';
/** No such key. */
export const NOTHING = '$-1\r\n';

export function ok(fields: string): string {
  return `+OK ${fields}\r\n`;
}

export function text(line: string): string {
  return `+${line}\r\n`;
}

export function integer(count: number): string {
  return `:${String(count)}\r\n`;
}

export function value(bytes: string | Buffer): string {
  const latin1 = Buffer.from(bytes).toString('latin1');
  return `$${String(latin1.length)}\r\n${latin1}\r\n`;
}

/** A list of what the other functions answer. */
export function list(...items: readonly string[]): string {
  return `*${String(items.length)}\r\n${items.join('')}`;
}

export function values(...items: readonly (string | Buffer)[]): string {
  return list(...items.map(value));
}

export function refused(code: string, message: string): string {
  return `-${code === 'NOT_PRIMARY' ? 'READONLY' : code} ${message}\r\n`;
}

/** What a backup answers, whose primary is at this address or `unknown`. */
export function notPrimary(primary: string): string {
  return refused('NOT_PRIMARY', primary);
}
