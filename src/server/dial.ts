import type { KeyObject } from 'node:crypto';
import net from 'node:net';
import type { Socket } from 'node:net';
import { parseAddress } from '../client/address.js';
import type { Address } from '../client/address.js';
import type { Cancel, Clock } from '../clock.js';
import { refusal } from '../engine.js';
import type { NodeId, Refusal } from '../engine.js';
import type { PeerIdentity } from '../node/ports.js';
import {
  openingText,
  parseAnswer,
  parseChallenge,
  parseError,
  proveText,
  splitProof,
  withProof,
} from './handshake.js';
import { isProven, linkKeys, prove } from './handshake-proofs.js';
import type { LinkKeys } from './handshake-proofs.js';
import { HandshakeSocket } from './handshake-socket.js';
import type { Interruption } from './handshake-socket.js';
import { NOT_LOOPBACK, isLoopbackAddress, lookUpLoopback } from './loopback.js';

export interface DialParts {
  readonly clock: Clock;
  /** `host:port`. */
  readonly address: string;
  readonly me: PeerIdentity;
  /** Undefined asks who is there. */
  readonly to: NodeId | undefined;
  /** Undefined without a secret. */
  readonly key: KeyObject | undefined;
  /** Fresh. */
  readonly nonce: string;
  readonly timeLimitMs: number;
}

/** A node answered and proved itself. Nothing listens to the socket, and it is paused. */
export interface Dialed {
  readonly socket: Socket;
  readonly peer: PeerIdentity;
  /** What arrived behind its answer. */
  readonly rest: Buffer;
  readonly keys: LinkKeys | undefined;
}

/** No link came of it. */
export interface NotDialed {
  readonly reason: Refusal;
  /**
   * Who says so: `here` nothing was sent; `nobody` answered; what answered is a `stranger` that did not prove itself;
   * or it is a `node` that did.
   */
  readonly by: 'here' | 'nobody' | 'stranger' | 'node';
}

export const SECRET_ADVICE = 'give every node of the cluster the same --cluster-secret-file';

/**
 * Connects and shakes hands. `done` is called once and never during this call, with what came of it; after `cancel` it is
 * not called at all.
 */
export function dial(parts: DialParts, done: (outcome: Dialed | NotDialed) => void): Cancel {
  const { clock, address } = parts;
  const to = targetOf(parts);
  if ('code' in to) return clock.after(0, () => done({ reason: to, by: 'here' }));
  const lookup = parts.key === undefined ? { lookup: lookUpLoopback } : {};
  const attempt = new Attempt(parts, net.connect({ ...to, ...lookup, noDelay: true }), done);
  return {
    cancel: () => {
      attempt.cancel();
    },
  };

  function targetOf({ key }: DialParts): Address | Refusal {
    const parsed = parseAddress(address);
    if ('invalid' in parsed) return refusal('UNREACHABLE', parsed.invalid);
    if (parsed.port === 0)
      return refusal('UNREACHABLE', `${address} has port 0, where nobody can be reached`);
    if (key === undefined && net.isIP(parsed.host) !== 0 && !isLoopbackAddress(parsed.host)) {
      return notLoopback(address);
    }
    return parsed;
  }
}

/** One connection up to the end of its handshake. */
class Attempt {
  readonly #parts: DialParts;
  readonly #socket: HandshakeSocket;
  readonly #done: (outcome: Dialed | NotDialed) => void;
  #isConnected = false;
  /** Everything that both ends have said. */
  #said = '';
  #isChallenged = false;

  constructor(parts: DialParts, socket: Socket, done: (outcome: Dialed | NotDialed) => void) {
    this.#parts = parts;
    this.#done = done;
    this.#socket = new HandshakeSocket({
      socket,
      clock: parts.clock,
      timeLimitMs: parts.timeLimitMs,
      connected: () => {
        this.#isConnected = true;
        this.#say(openingText(parts.nonce, parts.key === undefined ? 'none' : 'secret'));
      },
      line: (line, rest) => {
        if (this.#isChallenged) this.#readAnswer(line, rest);
        else this.#readChallenge(line, rest);
      },
      interrupted: (by) => {
        this.#interrupted(by);
      },
    });
  }

  cancel(): void {
    this.#socket.drop();
  }

  #say(line: string): void {
    this.#said += `${line}\n`;
    this.#socket.say(line);
  }

  #readChallenge(line: string, rest: Buffer): void {
    const { key, me, to } = this.#parts;
    const said = splitProof(line);
    const challenge = said === undefined ? undefined : parseChallenge(said.text);
    if (said === undefined || challenge === undefined || rest.length > 0) {
      this.#fail('stranger', parseError(line) ?? this.#notANode(line));
      return;
    }
    const objection =
      typeof challenge === 'string' ? challenge : this.#objection(challenge, said.text, said.proof);
    if (objection !== undefined) {
      this.#fail('stranger', refusal('NOT_A_PEER', `${this.#parts.address}: ${objection}`));
      return;
    }
    this.#isChallenged = true;
    this.#said += `${line}\n`;
    const text = proveText(me, to);
    this.#say(withProof(text, key === undefined ? undefined : prove(key, 'opener', this.#said + text)));
  }

  /** Why what answered is not trusted. */
  #objection(
    { nonce, auth }: { nonce: string; auth: string },
    text: string,
    proof: string,
  ): string | undefined {
    const { key } = this.#parts;
    if (nonce === this.#parts.nonce) return 'what was said to it came back: no node does that';
    if (auth !== (key === undefined ? 'none' : 'secret')) {
      const which = key === undefined ? 'has a secret, and this one has none' : 'has no secret';
      return `the node there ${which}: ${SECRET_ADVICE}`;
    }
    if (key === undefined || isProven(key, 'listener', this.#said + text, proof)) return undefined;
    return `the node there has another secret, or is none: ${SECRET_ADVICE}`;
  }

  #readAnswer(line: string, rest: Buffer): void {
    const { key, address } = this.#parts;
    const said = splitProof(line);
    const answer = said === undefined ? undefined : parseAnswer(said.text);
    if (said === undefined || answer === undefined) {
      this.#fail('stranger', parseError(line) ?? this.#notANode(line));
      return;
    }
    const isRefused = 'code' in answer;
    const label = isRefused ? 'refused' : 'accepted';
    if (key !== undefined && !isProven(key, label, this.#said + said.text, said.proof)) {
      this.#fail(
        'stranger',
        refusal('NOT_A_PEER', `${address}: the answer is not the one that the node there gave`),
      );
    } else if (isRefused) {
      this.#fail('node', answer);
    } else {
      const socket = this.#socket.release();
      if (socket === undefined) return;
      socket.pause();
      const keys = key === undefined ? undefined : linkKeys(key, `${this.#said}${line}\n`, true);
      this.#done({ socket, peer: answer, rest, keys });
    }
  }

  #interrupted(by: Interruption): void {
    const { address, timeLimitMs } = this.#parts;
    const within = `within ${String(timeLimitMs / 1000)} s`;
    switch (by.kind) {
      case 'too long':
        this.#fail('stranger', this.#notANode(this.#socket.begun));
        break;
      case 'late':
        this.#nobody(
          this.#isConnected
            ? `${address} takes connections and did not answer as a node ${within}: it may be stopped, or is no node`
            : `${address} could not be connected to ${within}: check that the machine is up and the address right`,
        );
        break;
      case 'failed':
        if (codeOf(by.error) === NOT_LOOPBACK) this.#fail('nobody', notLoopback(address));
        else this.#nobody(this.#isConnected ? this.#broken() : explain(by.error, address));
        break;
      case 'ended':
        if (this.#socket.begun === '') this.#nobody(this.#broken());
        else this.#fail('stranger', this.#notANode(this.#socket.begun));
    }
  }

  /** What answers here, judged by how it begins. */
  #notANode(begin: string): Refusal {
    let what = 'something else than a node';
    if (begin.startsWith('SSH-')) what = 'an SSH server';
    else if (begin.startsWith('HTTP/')) what = 'a web server';
    else if (begin.startsWith('-')) what = 'something like a Redis server';
    return refusal('NOT_A_PEER', `${what} answers at ${this.#parts.address}: give the address of a node`);
  }

  #broken(): string {
    return `${this.#parts.address} closed the connection without an answer: if a node runs there, look at its log`;
  }

  #nobody(message: string): void {
    this.#fail('nobody', refusal('UNREACHABLE', message));
  }

  #fail(by: NotDialed['by'], reason: Refusal): void {
    this.#socket.drop();
    this.#done({ reason, by });
  }
}

function notLoopback(address: string): Refusal {
  const only = 'without a secret of the cluster nodes speak with each other on this machine only';
  return refusal('NOT_A_PEER', `${only}, and ${address} is another one: ${SECRET_ADVICE}`);
}

function explain(error: Error, address: string): string {
  switch (codeOf(error)) {
    case 'ECONNREFUSED':
      return `nothing listens at ${address}: start the node there, or check the address`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_FAIL':
      return `the name in ${address} cannot be resolved: check it, or give an IP address`;
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'EHOSTDOWN':
    case 'ENETUNREACH':
      return `there is no way to ${address}: check that the machine is up, the network and the address`;
    default:
      return `${address} could not be connected to (${error.message}): check the address`;
  }
}

/** Where a name has several addresses, the error of the first one counts. */
function codeOf(error: Error): unknown {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  const own = 'code' in error ? error.code : undefined;
  return own ?? (first instanceof Error && 'code' in first ? first.code : undefined);
}
