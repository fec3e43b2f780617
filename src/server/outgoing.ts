import type { Cancel, Clock } from '../clock.js';
import type { Refusal } from '../engine.js';
import type { EventLog } from '../event-log.js';
import type { Peer } from '../log/control.js';
import type { PeerIdentity } from '../node/ports.js';
import { dial } from './dial.js';
import type { DialParts, Dialed, NotDialed } from './dial.js';
import { notTheOne } from './handshake.js';
import { letGo } from './handshake-socket.js';
import type { SocketLink } from './link.js';

export interface OutgoingParts {
  readonly clock: Clock;
  readonly events: EventLog;
  /** At least 0 and below 1. */
  random(): number;
  identity(): PeerIdentity;
  /** With whatever this node proves itself with. */
  dialing(peer: Peer): DialParts;
  /** Makes the link, and tells that it is up. */
  up(outgoing: Outgoing, dialed: Dialed): SocketLink;
  unreachable(peer: Peer, reason: Refusal): void;
  /** Something that is no node of this cluster answers where the peer should be. */
  stranger(peer: Peer, reason: Refusal): void;
}

/** Reasons of one peer that are told apart; past it nothing is logged until it is reached. */
const LOGGED_MAX = 16;
const DELAY_MS_MIN = 100;
const DELAY_MS_MAX = 1000;

/** Keeps a link to one peer: opens it, and again when it broke, until it is closed. */
export class Outgoing {
  readonly peer: Peer;
  readonly #parts: OutgoingParts;
  /** Attempts since a link last held for a while. */
  #attempts = 0;
  /** The attempt under way, or the wait for the next one. */
  #underWay: Cancel | undefined;
  #link: SocketLink | undefined;
  #upSinceMs = 0;
  /** The reasons that were logged since a link was up: the same one again is no news. */
  readonly #logged = new Set<string>();
  #isClosed = false;

  constructor(parts: OutgoingParts, peer: Peer) {
    this.#parts = parts;
    this.peer = peer;
    this.#dial();
  }

  close(): void {
    this.#isClosed = true;
    this.#underWay?.cancel();
    this.#link?.close();
  }

  /** The link that `up` made is down. */
  down(): void {
    this.#link = undefined;
    if (this.#isClosed) return;
    // A link that is closed as soon as it is open must not be opened as fast as the network allows.
    if (this.#parts.clock.nowMs() - this.#upSinceMs >= DELAY_MS_MAX) this.#attempts = 0;
    this.#wait();
  }

  #dial(): void {
    this.#attempts++;
    this.#underWay = dial(this.#parts.dialing(this.peer), (outcome) => {
      this.#underWay = undefined;
      if ('reason' in outcome) {
        this.#failed(outcome);
        return;
      }
      const reason = this.#objection(outcome.peer);
      if (reason === undefined) {
        this.#up(outcome);
        return;
      }
      letGo(outcome.socket);
      this.#failed({ reason, by: 'node' });
    });
  }

  #objection(there: PeerIdentity): Refusal | undefined {
    const { cluster } = this.#parts.identity();
    const isOtherCluster = cluster !== undefined && there.cluster !== undefined && cluster !== there.cluster;
    const isRight = there.node === this.peer.node && !isOtherCluster;
    return isRight ? undefined : notTheOne(there, this.peer.node, cluster);
  }

  #up(dialed: Dialed): void {
    this.#logged.clear();
    this.#upSinceMs = this.#parts.clock.nowMs();
    const link = this.#parts.up(this, dialed);
    this.#link = link;
    // Whoever was told that it is up may have decided that it is not wanted.
    if (this.#isClosed) link.close();
  }

  #failed({ reason, by }: NotDialed): void {
    const { node, address } = this.peer;
    if (by === 'stranger') {
      this.#parts.stranger(this.peer, reason);
    } else if (this.#logged.size < LOGGED_MAX && !this.#logged.has(reason.message)) {
      this.#logged.add(reason.message);
      const facts = { node, address, code: reason.code };
      const told = `a peer is not reached: ${reason.message}`;
      // Another node at its address stays there until somebody does something about it.
      if (by === 'node' && reason.code !== 'BUSY') this.#parts.events.warn(facts, told);
      else this.#parts.events.info(facts, told);
    }
    this.#wait();
    this.#parts.unreachable(this.peer, reason);
  }

  #wait(): void {
    const delayMs = Math.min(DELAY_MS_MIN * 2 ** Math.max(0, this.#attempts - 1), DELAY_MS_MAX);
    // Between half of it and all of it, so that nodes which lost each other do not knock in step.
    this.#underWay = this.#parts.clock.after(delayMs * (1 + this.#parts.random()) * 0.5, () => {
      this.#dial();
    });
  }
}
