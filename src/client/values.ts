import { isUtf8 } from 'node:buffer';
import { KvError } from './errors.js';

/** How a client answers keys and values. */
export type Decode<Value> = (bytes: Buffer) => Value | KvError;

export const DECODERS: { readonly buffer: Decode<Buffer>; readonly string: Decode<string> } = {
  buffer: (bytes) => bytes,
  string: (bytes) => (isUtf8(bytes) ? bytes.toString('utf8') : notText()),
};

/** Replacement characters in their place would be written back some day. */
function notText(): KvError {
  return new KvError(
    'NOT_TEXT',
    'what is stored there is not valid UTF-8: read it with a client that answers buffers',
  );
}
