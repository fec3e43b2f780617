import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import type { ServerFacts, Session } from '../commands/session.js';
import { showAddress } from '../protocol/address.js';
import type { RespVersion } from '../protocol/resp-reply.js';
import type { Replies } from './replies.js';

/** What the commands of one connection may know and change of it. */
export class ClientSession implements Session {
  readonly id: number;
  readonly peerAddress: string;
  readonly localAddress: string;
  readonly server: ServerFacts;
  name = '';
  libraryName = '';
  libraryVersion = '';
  isEnding = false;
  readonly #replies: Replies;
  readonly #clock: Clock;
  readonly #startMs: number;

  constructor(id: number, socket: Socket, replies: Replies, clock: Clock, server: ServerFacts) {
    this.id = id;
    this.peerAddress = shown(socket.remoteAddress, socket.remotePort);
    this.localAddress = shown(socket.localAddress, socket.localPort);
    this.server = server;
    this.#replies = replies;
    this.#clock = clock;
    this.#startMs = clock.nowMs();
  }

  get ageMs(): number {
    return this.#clock.nowMs() - this.#startMs;
  }

  get respVersion(): RespVersion {
    return this.#replies.respVersion;
  }

  set respVersion(version: RespVersion) {
    this.#replies.respVersion = version;
  }
}

/** A client may be gone by the time it is asked for. */
function shown(host: string | undefined, port: number | undefined): string {
  return host === undefined || port === undefined ? 'unknown' : showAddress({ host, port });
}
