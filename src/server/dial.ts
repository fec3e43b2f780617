import net from 'node:net';
import type { Socket } from 'node:net';
import { parseAddress } from '../client/address.js';
import type { Cancel, Clock } from '../clock.js';
import { refusal } from '../engine.js';
import type { Refusal } from '../engine.js';
import type { PeerIdentity } from '../node/ports.js';
import { HANDSHAKE_LINE_BYTES_MAX, parseAnswer } from './handshake.js';

export interface DialParts {
  readonly clock: Clock;
  /** `host:port`. */
  readonly address: string;
  /** The line to begin with. */
  readonly hello: string;
  readonly timeLimitMs: number;
}

/** A node answered. Nothing listens to the socket, and it is paused. */
export interface Dialed {
  readonly socket: Socket;
  readonly peer: PeerIdentity;
  /** What arrived behind its answer. */
  readonly rest: Buffer;
}

const LF = 0x0a;

/**
 * Connects and shakes hands. `done` is called once and never during this call, with what came of it; after `cancel` it is
 * not called at all.
 */
export function dial(parts: DialParts, done: (outcome: Dialed | Refusal) => void): Cancel {
  const { clock, address, timeLimitMs } = parts;
  const parsed = parseAddress(address);
  if ('invalid' in parsed || parsed.port === 0) {
    const reason =
      'invalid' in parsed ? parsed.invalid : `${address} has port 0, where nobody can be reached`;
    const timer = clock.after(0, () => {
      done(refusal('UNREACHABLE', reason));
    });
    return timer;
  }
  const attempt = new Attempt(parts, net.connect({ ...parsed, noDelay: true }), done);
  const timer = clock.after(timeLimitMs, () => {
    attempt.timeOut();
  });
  attempt.timer = timer;
  return {
    cancel: () => {
      attempt.cancel();
    },
  };
}

/** One connection up to the end of its handshake. */
class Attempt {
  timer: Cancel | undefined;
  readonly #parts: DialParts;
  readonly #socket: Socket;
  readonly #done: (outcome: Dialed | Refusal) => void;
  #isConnected = false;
  #isOver = false;
  #received: Buffer = Buffer.alloc(0);
  readonly #listeners = {
    connect: () => {
      this.#isConnected = true;
      this.#socket.write(this.#parts.hello);
    },
    data: (chunk: Buffer) => {
      this.#read(chunk);
    },
    end: () => {
      this.#ended();
    },
    close: () => {
      this.#ended();
    },
    error: (error: Error) => {
      this.#fail(
        refusal('UNREACHABLE', this.#isConnected ? this.#broken() : explain(error, this.#parts.address)),
      );
    },
  };

  constructor(parts: DialParts, socket: Socket, done: (outcome: Dialed | Refusal) => void) {
    this.#parts = parts;
    this.#socket = socket;
    this.#done = done;
    for (const [event, listener] of Object.entries(this.#listeners)) socket.on(event, listener);
  }

  cancel(): void {
    if (this.#finish()) this.#letGo();
  }

  timeOut(): void {
    const { address, timeLimitMs } = this.#parts;
    const within = `within ${String(timeLimitMs / 1000)} s`;
    const what = this.#isConnected
      ? `${address} takes connections and did not answer as a node ${within}: it may be stopped, or is no node`
      : `${address} could not be connected to ${within}: check that the machine is up and the address right`;
    this.#fail(refusal('UNREACHABLE', what));
  }

  #read(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf(LF);
    if (end === -1 || end >= HANDSHAKE_LINE_BYTES_MAX) {
      if (this.#received.length >= HANDSHAKE_LINE_BYTES_MAX) this.#fail(this.#notANode());
      return;
    }
    const answer = parseAnswer(this.#received.toString('utf8', 0, end));
    if (answer === undefined) {
      this.#fail(this.#notANode());
    } else if ('code' in answer) {
      this.#fail(answer);
    } else if (this.#finish()) {
      this.#socket.pause();
      this.#done({ socket: this.#socket, peer: answer, rest: this.#received.subarray(end + 1) });
    }
  }

  /** What answers here, judged by how it begins. */
  #notANode(): Refusal {
    const begin = this.#received.toString('latin1', 0, 5);
    const { address } = this.#parts;
    let what = 'something else than a node';
    if (begin.startsWith('SSH-')) what = 'an SSH server';
    else if (begin.startsWith('HTTP/')) what = 'a web server';
    else if (begin.startsWith('-')) what = 'something like a Redis server';
    return refusal('NOT_A_PEER', `${what} answers at ${address}: give the address of a node`);
  }

  #ended(): void {
    const hasSpoken = this.#received.length > 0;
    this.#fail(hasSpoken ? this.#notANode() : refusal('UNREACHABLE', this.#broken()));
  }

  #broken(): string {
    return `${this.#parts.address} closed the connection without an answer: if a node runs there, look at its log`;
  }

  #fail(reason: Refusal): void {
    if (!this.#finish()) return;
    this.#letGo();
    this.#done(reason);
  }

  #letGo(): void {
    this.#socket.on('error', () => undefined);
    this.#socket.destroy();
  }

  /** False when it was over already. */
  #finish(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.timer?.cancel();
    for (const [event, listener] of Object.entries(this.#listeners)) this.#socket.off(event, listener);
    return true;
  }
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
