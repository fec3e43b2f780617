import type { Socket } from 'node:net';
import { parseAddress } from '../client/address.js';
import { ERROR_CODES, refusal } from '../engine.js';
import type { ClusterId, ErrorCode, FsyncPolicy, NodeId, Refusal, Role } from '../engine.js';
import type { PeerIdentity } from '../node/ports.js';
import { isIdentity } from './message-fields.js';

/**
 * How a link begins. The node that opens it sends one line, the other one answers with one line, and behind it there are
 * parts of messages on both sides (see `link-parts.ts`).
 *
 *     REPLICATE version=1 cluster=HEX|none node=HEX address=HOST:PORT fsync=POLICY role=ROLE to=HEX|any
 *     OK version=1 cluster=HEX|none node=HEX address=HOST:PORT fsync=POLICY role=ROLE
 *
 * With `to=any` it asks only who is there, and the connection is closed behind the answer. Instead of `OK` there may
 * be `ERROR CODE message`.
 */
export interface Hello {
  readonly peer: PeerIdentity;
  /** Whom it wants to reach; undefined when it asks who is there. */
  readonly to: NodeId | undefined;
}

/** Takes over connections that begin with a well-formed `REPLICATE`. */
export interface LinkAcceptor {
  /** @param rest - bytes that arrived behind the line. Nothing listens to the socket any more. */
  accept(socket: Socket, hello: Hello, rest: Buffer): void;
}

/** A line of a handshake, its line ending included, is at most this long. */
export const HANDSHAKE_LINE_BYTES_MAX = 1024;
const MESSAGE_LENGTH_MAX = 900;
const VERSION = '1';
const ROLES = ['primary', 'backup'] as const satisfies readonly Role[];
const FSYNC_POLICIES: readonly FsyncPolicy[] = ['always', 'everysec', 'off'];
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f]+/g;

export function helloLine(me: PeerIdentity, to: NodeId | undefined): string {
  return `REPLICATE ${fieldsOf(me)} to=${to ?? 'any'}\n`;
}

export function okLine(me: PeerIdentity): string {
  return `OK ${fieldsOf(me)}\n`;
}

export function errorLine({ code, message }: Refusal): string {
  return `ERROR ${code} ${oneLine(message)}\n`;
}

/** Reads the words behind `REPLICATE`. The answer's own text says what is wrong with them, and what to do. */
export function parseHello(words: readonly string[]): Hello | string {
  const fields = fieldsIn(words);
  if (fields === undefined) return 'this is not how a node opens a link: clients have no use for REPLICATE';
  const peer = identityIn(fields);
  if (typeof peer === 'string') return peer;
  const to = fields.get('to');
  if (to === 'any') return { peer, to: undefined };
  return isIdentity(to) ? { peer, to: to as NodeId } : malformed('to');
}

/** Reads what came back, without its line ending. Undefined when it is nothing that a node says. */
export function parseAnswer(line: string): PeerIdentity | Refusal | undefined {
  const [first = '', ...words] = line.split(' ');
  if (first === 'ERROR') return errorIn(words);
  const fields = first === 'OK' ? fieldsIn(words) : undefined;
  if (fields === undefined) return undefined;
  const peer = identityIn(fields);
  return typeof peer === 'string' ? refusal('NOT_A_PEER', peer) : peer;
}

/** A text without anything that could end its line or speak to a terminal, and short enough for a line. */
export function oneLine(text: string): string {
  return text.replaceAll(CONTROLS, ' ').slice(0, MESSAGE_LENGTH_MAX);
}

/** Why the node with this identity is not the one that was to be reached. */
export function notTheOne(there: PeerIdentity, wanted: NodeId, cluster: ClusterId | undefined): Refusal {
  if (there.cluster !== undefined && cluster !== undefined && there.cluster !== cluster) {
    return refusal(
      'WRONG_CLUSTER',
      `at ${there.address} there is a node of another cluster: check the address`,
    );
  }
  const message = `at ${there.address} there is the node ${there.node}, and not ${wanted}`;
  const advice = 'check the address; a node whose data was lost is removed and added again';
  return refusal('NOT_A_PEER', `${message}: ${advice}`);
}

/** Why a node with an identity that is linked already, from another address, is not let in. */
export function linkedElsewhere(address: string): Refusal {
  const message = `a node with this identity is linked from ${address} already: a copy of its data may not run beside it`;
  return refusal('NOT_A_PEER', `${message}; stop one of the two`);
}

function fieldsOf(me: PeerIdentity): string {
  const cluster = me.cluster ?? 'none';
  return `version=${VERSION} cluster=${cluster} node=${me.node} address=${me.address} fsync=${me.fsync} role=${me.role}`;
}

/** Undefined when these are not names with values, or a name stands twice. Names that are not known are passed over. */
function fieldsIn(words: readonly string[]): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf('=');
    const name = word.slice(0, at);
    if (at < 1 || fields.has(name)) return undefined;
    fields.set(name, word.slice(at + 1));
  }
  return fields.has('version') ? fields : undefined;
}

function identityIn(fields: ReadonlyMap<string, string>): PeerIdentity | string {
  const version = fields.get('version');
  if (version !== VERSION) {
    return `links are spoken in version ${VERSION} here and in version ${oneLine(version ?? 'none')} there: run the same release on both nodes`;
  }
  const cluster = fields.get('cluster');
  if (cluster !== 'none' && !isIdentity(cluster)) return malformed('cluster');
  const node = fields.get('node');
  if (!isIdentity(node)) return malformed('node');
  const address = fields.get('address') ?? '';
  const parsed = parseAddress(address);
  if ('invalid' in parsed || parsed.port === 0) return malformed('address');
  const fsync = FSYNC_POLICIES.find((policy) => policy === fields.get('fsync'));
  if (fsync === undefined) return malformed('fsync');
  const role = ROLES.find((each) => each === fields.get('role'));
  if (role === undefined) return malformed('role');
  return {
    node: node as NodeId,
    cluster: cluster === 'none' ? undefined : (cluster as ClusterId),
    address,
    fsync,
    role,
  };
}

function malformed(name: string): string {
  return `${name} is missing or malformed in the handshake: run the same release on both nodes`;
}

function errorIn(words: readonly string[]): Refusal | undefined {
  const [code, ...rest] = words;
  const message = oneLine(rest.join(' '));
  const known = ERROR_CODES.find((candidate) => candidate === code);
  if (known === undefined || message === '') return undefined;
  return refusal(isOfRequests(known) ? 'NOT_A_PEER' : known, message);
}

/** Codes of servers that do not know how to link. */
function isOfRequests(code: ErrorCode): boolean {
  return code === 'SYNTAX' || code === 'UNKNOWN_COMMAND' || code === 'TOO_LARGE';
}
