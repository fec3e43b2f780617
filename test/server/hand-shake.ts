import type net from 'node:net';
import type { NodeId } from '../../src/engine.js';
import type { Message } from '../../src/replication/message.js';
import type { PeerIdentity } from '../../src/node/ports.js';
import {
  challengeText,
  okText,
  openingText,
  proveText,
  splitProof,
  withProof,
} from '../../src/server/handshake.js';
import { linkKey, linkKeys, prove } from '../../src/server/handshake-proofs.js';
import type { LinkKeys, ProofLabel } from '../../src/server/handshake-proofs.js';
import { encodeMessage } from '../../src/server/link-codec.js';
import { PartQueue } from '../../src/server/link-parts.js';
import { PartSeal } from '../../src/server/part-seal.js';
import type { Conversation } from './conversation.js';

export const SECRET = 'a secret of 16 bytes at least';
export const NONCE_A = '0a'.repeat(16);
export const NONCE_B = '0b'.repeat(16);

export interface ByHand {
  readonly secret?: string | undefined;
  readonly nonce?: string;
  /** Changes a line on its way out. */
  readonly tamper?: (line: string) => string;
}

export interface Shaken {
  readonly keys: LinkKeys | undefined;
  /** All four lines. */
  readonly lines: readonly string[];
}

/** A line with its proof, the way the protocol page describes it. */
export function signed(text: string, label: ProofLabel, said: string, secret: string | undefined): string {
  return withProof(text, secret === undefined ? undefined : prove(linkKey(secret), label, said + text));
}

/** Opens a link by hand, up to the third line: whatever comes back is the caller's to read. */
export async function knockByHand(
  conversation: Conversation,
  me: PeerIdentity,
  to: NodeId | undefined,
  { secret, nonce = NONCE_A, tamper = (line) => line }: ByHand = {},
): Promise<string[]> {
  const opening = openingText(nonce, secret === undefined ? 'none' : 'secret');
  conversation.send(`${tamper(opening)}\n`);
  const [challenge] = await conversation.lines(1);
  const said = `${opening}\n${challenge!}\n`;
  const proof = signed(proveText(me, to), 'opener', said, secret);
  conversation.send(`${tamper(proof)}\n`);
  return [opening, challenge!, proof];
}

/** Opens a link by hand, to its end. */
export async function shakeHands(
  conversation: Conversation,
  me: PeerIdentity,
  to: NodeId | undefined,
  options: ByHand = {},
): Promise<Shaken> {
  const said = await knockByHand(conversation, me, to, options);
  const [, answer] = await conversation.lines(2);
  const lines = [...said, answer!];
  if (!answer!.startsWith('OK ')) throw new Error(answer);
  return { lines, keys: keysOf(lines, options.secret, true) };
}

export function keysOf(
  lines: readonly string[],
  secret: string | undefined,
  isOpener: boolean,
): LinkKeys | undefined {
  if (secret === undefined) return undefined;
  return linkKeys(linkKey(secret), lines.map((line) => `${line}\n`).join(''), isOpener);
}

/** Answers an opener by hand; `done` is told when the last line was said. */
export function answerByHand(
  socket: net.Socket,
  me: PeerIdentity,
  { secret, nonce = NONCE_B, tamper = (line) => line }: ByHand = {},
  done: (shaken: Shaken) => void = () => undefined,
): void {
  let received = '';
  let said = '';
  const lines: string[] = [];
  const read = (chunk: Buffer): void => {
    received += chunk.toString('latin1');
    for (let end = received.indexOf('\n'); end !== -1; end = received.indexOf('\n')) {
      const line = received.slice(0, end);
      received = received.slice(end + 1);
      said += `${line}\n`;
      const isOpening = line.startsWith('REPLICATE ');
      const text = isOpening ? challengeText(nonce, secret === undefined ? 'none' : 'secret') : okText(me);
      const answer = signed(text, isOpening ? 'listener' : 'accepted', said, secret);
      said += `${answer}\n`;
      lines.push(line, answer);
      socket.write(`${tamper(answer)}\n`);
      if (isOpening) continue;
      socket.off('data', read);
      done({ lines, keys: keysOf(lines, secret, false) });
    }
  };
  socket.on('data', read);
}

/** Messages in the parts in which they travel, one buffer for each turn of sending. */
export function parts(seal: PartSeal | undefined, ...messages: readonly Message[]): Buffer[] {
  const queue = new PartQueue(seal);
  for (const message of messages) {
    const pieces = encodeMessage(message);
    queue.add(
      pieces,
      pieces.reduce((sum, piece) => sum + piece.length, 0),
    );
  }
  const taken: Buffer[] = [];
  for (let pieces = queue.take(); pieces.length > 0; pieces = queue.take()) taken.push(Buffer.concat(pieces));
  return taken;
}

export function sealOf(keys: LinkKeys | undefined): PartSeal | undefined {
  return keys === undefined ? undefined : new PartSeal(keys.sending);
}

export { splitProof };
