import type { Request } from '../protocol/request.js';
import { requestBytes } from '../protocol/request.js';
import { HANDSHAKE_LINE_BYTES_MAX, parseOpening } from './handshake.js';
import type { Opening, OpeningFault } from './handshake.js';

/**
 * Reads the request that opens a link. Links and clients do not mix: it is the first of its connection, or refused.
 */
export function readReplicate(request: Request, isFirst: boolean): Opening | OpeningFault {
  if (request.framing === 'resp') {
    return ofClient('REPLICATE opens a connection between nodes, in a line: leave it out');
  }
  if (!isFirst) {
    return ofClient('REPLICATE opens a connection between nodes, and this one is a client: leave it out');
  }
  const [name, ...words] = request.words;
  // The blanks between the words and the line ending count too.
  if (name === undefined || requestBytes(request) + request.words.length > HANDSHAKE_LINE_BYTES_MAX) {
    return ofClient('this is too long for how a node opens a link: clients have no use for REPLICATE');
  }
  return parseOpening(words.map(({ bytes, start, end }) => bytes.toString('utf8', start, end)));
}

function ofClient(fault: string): OpeningFault {
  return { fault, isOfNode: false };
}
