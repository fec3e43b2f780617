import type { KeyObject } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import { refusal } from '../engine.js';
import type { Refusal } from '../engine.js';
import type { PeerIdentity } from '../node/ports.js';
import { SECRET_ADVICE } from './dial.js';
import { challengeText, errorText, okText, parseProve, splitProof, withProof } from './handshake.js';
import type { Hello, Opening } from './handshake.js';
import { isProven, linkKeys, prove } from './handshake-proofs.js';
import type { LinkKeys } from './handshake-proofs.js';
import { HandshakeSocket } from './handshake-socket.js';
import type { Interruption } from './handshake-socket.js';
import { isLoopbackAddress } from './loopback.js';

export interface KnockParts {
  readonly clock: Clock;
  readonly socket: Socket;
  readonly opening: Opening;
  /** What arrived behind the opening. */
  readonly rest: Buffer;
  /** Undefined without a secret. */
  readonly key: KeyObject | undefined;
  /** Fresh. */
  readonly nonce: string;
  readonly timeLimitMs: number;
}

/** Somebody who knocked did not prove to be a node. */
export interface Stranger {
  readonly socket: Socket;
  readonly reason: Refusal;
}

/** Why nobody at this address is even asked to prove who it is. */
export function strangerAt(
  remoteAddress: string | undefined,
  { auth }: Opening,
  hasSecret: boolean,
): Refusal | undefined {
  if (!hasSecret && !isLoopbackAddress(remoteAddress ?? '')) {
    const only = 'without a secret of the cluster this node speaks with nodes on its own machine only';
    return refusal('NOT_A_PEER', `${only}: ${SECRET_ADVICE}`);
  }
  if (hasSecret === (auth === 'secret')) return undefined;
  const which = hasSecret
    ? 'has a secret of its cluster, and the other one has none'
    : 'has no secret of its cluster, and the other one has one';
  return refusal('NOT_A_PEER', `this node ${which}: ${SECRET_ADVICE}`);
}

/**
 * Lets a node that knocks prove that it is one. `done` is called once, perhaps during this call; after the answer, which lets go
 * of the connection, was called, not at all.
 */
export function knock(parts: KnockParts, done: (outcome: Knocked | Stranger) => void): () => void {
  const { socket, clock, timeLimitMs, opening, key } = parts;
  const text = challengeText(parts.nonce, key === undefined ? 'none' : 'secret');
  const before = `${opening.line}\n`;
  const challenge = withProof(text, key === undefined ? undefined : prove(key, 'listener', before + text));
  const said = `${before}${challenge}\n`;
  const fail = (message: string): void => {
    if (handshake.release() !== undefined) done({ socket, reason: refusal('NOT_A_PEER', message) });
  };
  const handshake = new HandshakeSocket({
    socket,
    clock,
    timeLimitMs,
    line: (line, rest) => {
      const hello = rest.length > 0 ? TOO_EARLY : readProve(line, said, key);
      if (typeof hello === 'string') fail(hello);
      else if (handshake.release() !== undefined) {
        done(new Knocked(socket, hello, `${said}${line}\n`, key));
      }
    },
    interrupted: (by) => {
      fail(whyOf(by, timeLimitMs));
    },
  });
  handshake.say(challenge);
  socket.resume();
  handshake.read(parts.rest);
  return () => {
    handshake.drop();
  };
}

const TOO_EARLY = 'bytes came behind the handshake before it was answered';

function readProve(line: string, said: string, key: KeyObject | undefined): Hello | string {
  const parts = splitProof(line);
  if (parts === undefined) return 'what came is not how a node proves who it is';
  // Who has not proved itself is not read either.
  if (key !== undefined && !isProven(key, 'opener', said + parts.text, parts.proof)) {
    return `the proof does not hold: ${SECRET_ADVICE}`;
  }
  return parseProve(parts.text);
}

function whyOf(by: Interruption, timeLimitMs: number): string {
  switch (by.kind) {
    case 'late':
      return `it did not prove to be a node within ${String(timeLimitMs / 1000)} s`;
    case 'too long':
      return 'it sent more than a handshake may have';
    default:
      return `it left before it had proved to be a node: if it is one, ${SECRET_ADVICE}`;
  }
}

/** A node that has proved itself, and is still to be answered. Nothing listens to the socket. */
export class Knocked {
  readonly socket: Socket;
  readonly hello: Hello;
  readonly #said: string;
  readonly #key: KeyObject | undefined;

  constructor(socket: Socket, hello: Hello, said: string, key: KeyObject | undefined) {
    this.socket = socket;
    this.hello = hello;
    this.#said = said;
    this.#key = key;
  }

  /** The last line, its ending included, with which it is let in. */
  accepted(me: PeerIdentity): string {
    return this.#signed('accepted', okText(me));
  }

  refused(reason: Refusal): string {
    return this.#signed('refused', errorText(reason));
  }

  /** The keys of the link. @param answer - what `accepted` gave. */
  keys(answer: string): LinkKeys | undefined {
    return this.#key === undefined ? undefined : linkKeys(this.#key, this.#said + answer, false);
  }

  #signed(label: 'accepted' | 'refused', text: string): string {
    const key = this.#key;
    return `${withProof(text, key === undefined ? undefined : prove(key, label, this.#said + text))}\n`;
  }
}
