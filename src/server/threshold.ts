import type { KeyObject } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import { refusal } from '../engine.js';
import type { Refusal } from '../engine.js';
import { errorText } from './handshake.js';
import type { Opening } from './handshake.js';
import { Knocked, knock, strangerAt } from './knock.js';
import type { LinkLimits } from './limits.js';
import { endWith } from './turn-away.js';

export interface ThresholdParts {
  readonly clock: Clock;
  readonly limits: LinkLimits;
  /** Undefined without a secret. */
  readonly key: KeyObject | undefined;
  /** A fresh one. */
  nonce(): string;
  /** Told of each that is turned away. */
  refused(host: string, reason: Refusal): void;
}

/** A connection on which a link is being opened. */
export interface Newcomer {
  readonly socket: Socket;
  readonly opening: Opening;
  readonly rest: Buffer;
  readonly host: string;
}

/**
 * Where those wait who have knocked and not yet proved to be nodes.
 *
 * Invariant: there are at most `handshakesMax` of them, each for at most `handshakeMs` and with at most a line of bytes, and
 * as many more that are being told why they may not come in.
 */
export class Threshold {
  readonly #parts: ThresholdParts;
  /** Connections that are neither a link nor closed. */
  readonly #waiting = new Set<Socket>();
  /** What ends the handshake on each. */
  readonly #underWay = new Map<Socket, () => void>();

  constructor(parts: ThresholdParts) {
    this.#parts = parts;
  }

  /** Lets somebody prove to be a node. If so, `proven` answers, perhaps during this call, whether the connection is a link now. */
  take({ socket, opening, rest, host }: Newcomer, proven: (knocked: Knocked) => boolean): void {
    const { clock, limits, key } = this.#parts;
    const { handshakesMax, handshakeMs } = limits;
    if (this.#waiting.size >= 2 * handshakesMax) {
      socket.on('error', () => undefined).destroy();
      return;
    }
    this.#waiting.add(socket);
    socket.once('close', () => this.#waiting.delete(socket));
    const full = `${String(handshakesMax)} handshakes are under way: try again in a moment`;
    const objection =
      this.#underWay.size >= handshakesMax
        ? refusal('BUSY', full)
        : strangerAt(socket.remoteAddress, opening, key !== undefined);
    if (objection !== undefined) {
      this.#turnAway(socket, host, objection);
      return;
    }
    const nonce = this.#parts.nonce();
    const parts = { clock, socket, opening, rest, key, nonce, timeLimitMs: handshakeMs };
    this.#underWay.set(socket, () => undefined);
    const cancel = knock(parts, (outcome) => {
      this.#underWay.delete(socket);
      if (!(outcome instanceof Knocked)) this.#turnAway(socket, host, outcome.reason);
      else if (proven(outcome)) this.#waiting.delete(socket);
    });
    if (this.#underWay.has(socket)) this.#underWay.set(socket, cancel);
  }

  /** Lets go of all that have not proved themselves. */
  close(): void {
    for (const cancel of this.#underWay.values()) cancel();
    this.#underWay.clear();
  }

  #turnAway(socket: Socket, host: string, reason: Refusal): void {
    this.#parts.refused(host, reason);
    endWith(socket, this.#parts.clock, `${errorText(reason)}\n`);
  }
}
