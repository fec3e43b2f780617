import type { Socket } from 'node:net';
import { parseAddress } from '../client/address.js';
import { ERROR_CODES, refusal } from '../engine.js';
import type { ClusterId, ErrorCode, FsyncPolicy, NodeId, Refusal, Role } from '../engine.js';
import type { PeerIdentity } from '../node/ports.js';
import { isIdentity } from './message-fields.js';

/**
 * The lines of a handshake. The node that opens a link sends the first one; behind the fourth there are parts of messages on
 * both sides (see `link-parts.ts`).
 *
 *     REPLICATE version=3 nonce=HEX32 auth=secret|none
 *     CHALLENGE version=3 nonce=HEX32 auth=secret|none proof=HEX64|none
 *     PROVE cluster=HEX32|none node=HEX32 address=HOST:PORT fsync=POLICY role=ROLE to=HEX32|any proof=HEX64|none
 *     OK cluster=HEX32|none node=HEX32 address=HOST:PORT fsync=POLICY role=ROLE proof=HEX64|none
 *
 * Each proof is over everything said before it, by both ends. The listener proves first: who asks an address that it was only
 * told of gives away neither who it is nor anything to guess the secret with. With `to=any` it asks only who is
 * there, and the connection is closed behind the answer.
 *
 * Instead of `OK` there may be `ERROR CODE message proof=…`, and at any point before `ERROR CODE message`, which proves nothing.
 */
export interface Opening {
  readonly nonce: string;
  readonly auth: Auth;
  /** As it was said, without its line ending. */
  readonly line: string;
}

/** Whether an end has a secret to prove itself with. */
export type Auth = 'secret' | 'none';

export interface Challenge {
  readonly nonce: string;
  readonly auth: Auth;
}

export interface Hello {
  readonly peer: PeerIdentity;
  /** Whom it wants to reach; undefined when it asks who is there. */
  readonly to: NodeId | undefined;
}

/** Why a line does not open a link. */
export interface OpeningFault {
  /** What is wrong, and what to do. */
  readonly fault: string;
  /** A node said it, of another release. */
  readonly isOfNode: boolean;
}

/** Takes over connections that begin with a well-formed `REPLICATE`. */
export interface LinkAcceptor {
  /** @param rest - bytes that arrived behind the line. Nothing listens to the socket any more. */
  accept(socket: Socket, opening: Opening, rest: Buffer): void;
  /** A node knocked that cannot be spoken with. */
  turnedDown(socket: Socket, reason: Refusal): void;
}

/** A line of a handshake, its line ending included, is at most this long. */
export const HANDSHAKE_LINE_BYTES_MAX = 1024;
const MESSAGE_BYTES_MAX = 800;
const VERSION = '3';
const ROLES = ['primary', 'backup'] as const satisfies readonly Role[];
const FSYNC_POLICIES: readonly FsyncPolicy[] = ['always', 'everysec', 'off'];
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f]+/g;
/** A word that stands for itself, so that a line of them can be written in one way only. */
const PLAIN_WORD = /^[!-~]+$/;
const NONCE = /^[0-9a-f]{32}$/;
const PROOF = /^(.*) proof=([0-9a-f]{64}|none)$/;

export function openingText(nonce: string, auth: Auth): string {
  return `REPLICATE version=${VERSION} nonce=${nonce} auth=${auth}`;
}

/** Without its proof, as is each of the lines below. */
export function challengeText(nonce: string, auth: Auth): string {
  return `CHALLENGE version=${VERSION} nonce=${nonce} auth=${auth}`;
}

export function proveText(me: PeerIdentity, to: NodeId | undefined): string {
  return `PROVE ${fieldsOf(me)} to=${to ?? 'any'}`;
}

export function okText(me: PeerIdentity): string {
  return `OK ${fieldsOf(me)}`;
}

export function errorText({ code, message }: Refusal): string {
  return `ERROR ${code} ${oneLine(message)}`;
}

export function withProof(text: string, proof: string | undefined): string {
  return `${text} proof=${proof ?? 'none'}`;
}

/** A line without its proof, and the proof. Undefined when it has none. */
export function splitProof(line: string): { readonly text: string; readonly proof: string } | undefined {
  const [, text, proof] = PROOF.exec(line) ?? [];
  return text === undefined || proof === undefined ? undefined : { text, proof };
}

/** Reads the words behind `REPLICATE`. */
export function parseOpening(words: readonly string[]): Opening | OpeningFault {
  const fields = words.every((word) => PLAIN_WORD.test(word)) ? fieldsIn(words) : undefined;
  if (fields?.has('version') !== true) {
    return {
      fault: 'this is not how a node opens a link: clients have no use for REPLICATE',
      isOfNode: false,
    };
  }
  const greeting = greetingIn(fields);
  if (typeof greeting === 'string') return { fault: greeting, isOfNode: true };
  return { ...greeting, line: ['REPLICATE', ...words].join(' ') };
}

/** Reads what a listener says first, without its proof. Undefined when it is nothing that a node says. */
export function parseChallenge(text: string): Challenge | string | undefined {
  const fields = fieldsBehind('CHALLENGE', text);
  return fields === undefined ? undefined : greetingIn(fields);
}

/** Reads who has proved itself, without the proof. */
export function parseProve(text: string): Hello | string {
  const fields = fieldsBehind('PROVE', text);
  if (fields === undefined) return malformed('PROVE');
  const peer = identityIn(fields);
  if (typeof peer === 'string') return peer;
  const to = fields.get('to');
  if (to === 'any') return { peer, to: undefined };
  return isIdentity(to) ? { peer, to: to as NodeId } : malformed('to');
}

/** Reads the last line, without its proof. Undefined when it is nothing that a node says. */
export function parseAnswer(text: string): PeerIdentity | Refusal | undefined {
  if (text.startsWith('ERROR ')) return parseError(text);
  const fields = fieldsBehind('OK', text);
  if (fields === undefined) return undefined;
  const peer = identityIn(fields);
  return typeof peer === 'string' ? refusal('NOT_A_PEER', peer) : peer;
}

/** Reads `ERROR CODE message`. */
export function parseError(text: string): Refusal | undefined {
  const [first, code, ...rest] = text.split(' ');
  const message = oneLine(rest.join(' '));
  const known = ERROR_CODES.find((candidate) => candidate === code);
  if (first !== 'ERROR' || known === undefined || message === '') return undefined;
  return refusal(isOfRequests(known) ? 'NOT_A_PEER' : known, message);
}

/** A text without anything that could end its line or speak to a terminal, and short enough for a line. */
export function oneLine(text: string): string {
  const line = text.replaceAll(CONTROLS, ' ');
  const bytes = Buffer.from(line);
  return bytes.length <= MESSAGE_BYTES_MAX ? line : bytes.toString('utf8', 0, MESSAGE_BYTES_MAX);
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
  return `cluster=${cluster} node=${me.node} address=${me.address} fsync=${me.fsync} role=${me.role}`;
}

function fieldsBehind(first: string, text: string): ReadonlyMap<string, string> | undefined {
  const [word, ...words] = text.split(' ');
  return word === first ? fieldsIn(words) : undefined;
}

/** Undefined when there are none, when these are not names with values, or a name stands twice. Names that are not known are passed over. */
function fieldsIn(words: readonly string[]): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf('=');
    const name = word.slice(0, at);
    if (at < 1 || fields.has(name)) return undefined;
    fields.set(name, word.slice(at + 1));
  }
  return fields.size === 0 ? undefined : fields;
}

function greetingIn(fields: ReadonlyMap<string, string>): Challenge | string {
  const version = fields.get('version');
  if (version !== VERSION) {
    return `links are spoken in version ${VERSION} here and in version ${oneLine(version ?? 'none').slice(0, 20)} there: run the same release on both nodes`;
  }
  const nonce = fields.get('nonce') ?? '';
  if (!NONCE.test(nonce)) return malformed('nonce');
  const auth = fields.get('auth');
  return auth === 'secret' || auth === 'none' ? { nonce, auth } : malformed('auth');
}

function identityIn(fields: ReadonlyMap<string, string>): PeerIdentity | string {
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

/** Codes of servers that do not know how to link. */
function isOfRequests(code: ErrorCode): boolean {
  return code === 'SYNTAX' || code === 'UNKNOWN_COMMAND' || code === 'TOO_LARGE';
}
