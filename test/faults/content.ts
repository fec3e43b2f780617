import { readFileSync } from 'node:fs';
import { createClient } from '../../src/client/client.js';

/** What a store holds; the bytes of keys and values as latin1. */
export type Content = ReadonlyMap<string, string>;

/** What a server has, asked over the wire. */
export async function contentOfServer(address: string): Promise<Content> {
  const client = createClient({ address, timeoutMs: 20_000 });
  try {
    const keys = await client.keys();
    const values = await client.mget(keys);
    return new Map(keys.map((key, at) => [key.toString('latin1'), values[at]!.toString('latin1')]));
  } finally {
    client.close();
  }
}

/** What the JSON file has. Throws when it is not complete. */
export function contentOfFile(file: string): Content {
  const { data, binary, count } = JSON.parse(readFileSync(file, 'utf8')) as {
    data: Record<string, string>;
    binary: [string, string][];
    count: number;
  };
  const content = new Map<string, string>();
  for (const [key, value] of Object.entries(data)) content.set(bytesOf(key, 'utf8'), bytesOf(value, 'utf8'));
  for (const [key, value] of binary) content.set(bytesOf(key, 'base64'), bytesOf(value, 'base64'));
  if (content.size !== count)
    throw new Error(`${file} says ${String(count)} and holds ${String(content.size)}`);
  return content;
}

function bytesOf(text: string, encoding: BufferEncoding): string {
  return Buffer.from(text, encoding).toString('latin1');
}
