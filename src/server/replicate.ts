import { refusal } from '../engine.js';
import type { Refusal } from '../engine.js';
import type { Request } from '../protocol/request.js';
import { requestBytes } from '../protocol/request.js';
import { HANDSHAKE_LINE_BYTES_MAX, parseHello } from './handshake.js';
import type { Hello } from './handshake.js';

/**
 * Reads the request that opens a link. Links and clients do not mix: it is the first of its connection, or refused.
 */
export function readReplicate(request: Request, isFirst: boolean): Hello | Refusal {
  if (request.framing === 'resp') {
    return refusal('NOT_A_PEER', 'REPLICATE opens a connection between nodes, in a line: leave it out');
  }
  if (!isFirst) {
    return refusal(
      'NOT_A_PEER',
      'REPLICATE opens a connection between nodes, and this one is a client: leave it out',
    );
  }
  const [name, ...words] = request.words;
  // The blanks between the words and the line ending count too.
  if (name === undefined || requestBytes(request) + request.words.length > HANDSHAKE_LINE_BYTES_MAX) {
    return refusal(
      'NOT_A_PEER',
      'this is too long for how a node opens a link: clients have no use for REPLICATE',
    );
  }
  const hello = parseHello(words.map(({ bytes, start, end }) => bytes.toString('utf8', start, end)));
  return typeof hello === 'string' ? refusal('NOT_A_PEER', hello) : hello;
}
