import type { Cancel } from '../../src/clock.js';
import type { Link, PeerIdentity } from '../../src/node/ports.js';
import type { Message } from '../../src/replication/message.js';
import { framesOf, isSameFrame } from './copy-message.js';
import type { Port } from './network.js';
import { showMessage } from './show.js';

/** A cut is noticed this long after it began, at the latest: the system gives the connection up. */
const GIVE_UP_MS = 10_000;
const RETRY_MS = 300;
const SLOW_MS_MAX = 3000;

type State = 'new' | 'up' | 'ended';

/** A message that takes its time because the link carries little. */
interface Crawling {
  readonly text: string;
  readonly arrive: () => void;
  event: Cancel;
}

/** One side of a connection. */
class End implements Link {
  readonly peer: PeerIdentity;
  readonly isOutgoing: boolean;
  readonly port: Port;
  state: State = 'new';
  /** Arrived before this side knew that the connection is there. */
  readonly early: Message[] = [];
  /** When the last message that keeps the order arrives here. */
  lastArrivalMs = 0;
  /** What is on its way here over a thin link, in the order in which it arrives. */
  readonly crawling: Crawling[] = [];
  readonly #session: Session;

  constructor(session: Session, port: Port, peer: PeerIdentity, isOutgoing: boolean) {
    this.#session = session;
    this.port = port;
    this.peer = peer;
    this.isOutgoing = isOutgoing;
  }

  send(message: Message): void {
    if (this.state === 'up') this.#session.send(this, message);
  }

  close(): void {
    this.#session.close(this.port);
  }
}

/** A connection between two processes. It ends with either of them, and never reaches another one. */
export class Session {
  readonly #dialler: End;
  readonly #listener: End;
  readonly #watches: readonly Cancel[];
  #isBroken = false;

  constructor(dialler: Port, listener: Port, diallerIs: PeerIdentity, listenerIs: PeerIdentity) {
    this.#dialler = new End(this, dialler, listenerIs, true);
    this.#listener = new End(this, listener, diallerIs, false);
    this.#watches = [this.#dialler, this.#listener].map((end) =>
      end.port.process.whenEnded(() => this.#ended(end)),
    );
    dialler.network.opened(this);
  }

  /** This side knows from here on that the connection is there. False when it is already gone. */
  open(port: Port): boolean {
    const end = this.#endAt(port);
    if (end.state !== 'new') return false;
    end.state = 'up';
    port.observer?.up(end);
    for (const message of end.early.splice(0)) this.#receive(end, message);
    return true;
  }

  send(from: End, message: Message): void {
    const { network, process } = from.port;
    const { temper, random, scheduler } = network;
    network.sending(process, message, this.#other(from).port.address);
    if (this.#isBroken) return;
    if (random.next() < temper.breakRate) {
      this.break();
      return;
    }
    if (random.next() < temper.lossRate) return;
    const to = this.#other(from);
    const copies = random.next() < temper.duplicateRate ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const isSlow = random.next() < temper.slowRate;
      const isReordered = copy > 0 || random.next() < temper.reorderRate;
      let atMs = scheduler.nowMs + network.latencyMs() + (isSlow ? random.next() * SLOW_MS_MAX : 0);
      let carryMs = 0;
      if (isReordered) {
        atMs += random.next() * 20 * temper.latencyMsMax;
      } else {
        // A thin link carries one message after the other.
        carryMs = network.carryMs(from.port.address, to.port.address, message);
        atMs = to.lastArrivalMs = Math.max(atMs, to.lastArrivalMs) + carryMs;
      }
      this.#carry(from, to, message, atMs - scheduler.nowMs, carryMs > 0);
    }
  }

  /** The link carries more from here on: what crawls arrives soon, in the same order. */
  hurry(): void {
    for (const end of [this.#dialler, this.#listener]) {
      const { network } = end.port;
      const { nowMs } = network.scheduler;
      end.lastArrivalMs = nowMs;
      for (const crawling of end.crawling) {
        crawling.event.cancel();
        end.lastArrivalMs = Math.max(end.lastArrivalMs, nowMs + network.latencyMs());
        crawling.event = network.scheduler.after(end.lastArrivalMs - nowMs, crawling.text, crawling.arrive);
      }
    }
  }

  isAt(address: string): boolean {
    return [this.#dialler, this.#listener].some(({ port }) => port.address === address);
  }

  breakBetween(from: string, to: string): void {
    const addresses = [this.#dialler.port.address, this.#listener.port.address];
    if (addresses.includes(from) && addresses.includes(to)) this.break();
  }

  breakAt(address: string): void {
    if (this.isAt(address)) this.break();
  }

  /** The connection is cut, and both sides notice, each in its time. */
  break(): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    for (const end of [this.#dialler, this.#listener]) this.#tellDown(end, end.port.network.latencyMs());
  }

  /** One side lets go: nothing arrives there any more, and both sides are told that the link is down, after the call. */
  close(port: Port): void {
    const end = this.#endAt(port);
    if (end.state === 'ended') return;
    this.#isBroken = true;
    this.#tellDown(this.#other(end), port.network.latencyMs());
    this.#end(end, (tell) => void port.process.post(0, 'closed a link', tell));
  }

  /** The other node opened a new link to this one: this one is over, and its side here is told before this returns. */
  replace(port: Port): void {
    const end = this.#endAt(port);
    if (end.state === 'ended') return;
    this.#isBroken = true;
    this.#tellDown(this.#other(end), port.network.latencyMs());
    this.#end(end, (tell) => {
      tell();
    });
  }

  #carry(from: End, to: End, message: Message, delayMs: number, isCrawling: boolean): void {
    const { network, process } = from.port;
    const copy = network.copier.copy(message);
    const text = showMessage(process.name, to.port.process.name, copy);
    const arrive = (triesLeft: number): void => {
      if (!network.isBlocked(from.port.address, to.port.address)) {
        if (isChanged(message, copy)) network.changedUnderWay(process, message);
        to.port.process.run(text, () => this.#receive(to, copy));
      } else if (triesLeft === 0) {
        this.break();
      } else {
        network.scheduler.after(RETRY_MS, `${text} held up`, () => arrive(triesLeft - 1));
      }
    };
    const triesMax = Math.floor(GIVE_UP_MS / RETRY_MS);
    if (!isCrawling) {
      network.scheduler.after(delayMs, text, () => arrive(triesMax));
      return;
    }
    const arriveNext = (): void => {
      to.crawling.shift();
      arrive(triesMax);
    };
    const event = network.scheduler.after(delayMs, text, arriveNext);
    to.crawling.push({ text, arrive: arriveNext, event });
  }

  #receive(end: End, message: Message): void {
    if (end.state === 'new') end.early.push(message);
    else if (end.state === 'up') end.port.observer?.received(end, message);
  }

  /** The process on one side is gone: its system says so at once, or its machine is gone too and says nothing. */
  #ended(end: End): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    end.state = 'ended';
    const { network } = end.port;
    const isSilent = network.random.next() < 0.2;
    const delayMs = isSilent ? network.random.next() * GIVE_UP_MS : network.latencyMs();
    this.#tellDown(this.#other(end), delayMs);
  }

  #tellDown(end: End, delayMs: number): void {
    end.port.network.closed(this);
    this.#unwatch();
    end.port.process.post(delayMs, `link to ${end.peer.address} down`, () => {
      this.#end(end, (tell) => {
        tell();
      });
    });
  }

  /** Once for each side: nothing arrives on it any more, and it is told so. */
  #end(end: End, soon: (tell: () => void) => void): void {
    if (end.state === 'ended') return;
    const wasUp = end.state === 'up';
    end.state = 'ended';
    soon(() => {
      if (wasUp) end.port.observer?.down(end);
      end.port.lost(this);
    });
  }

  #unwatch(): void {
    for (const watch of this.#watches) watch.cancel();
  }

  #endAt(port: Port): End {
    return this.#dialler.port === port ? this.#dialler : this.#listener;
  }

  #other(end: End): End {
    return end === this.#dialler ? this.#listener : this.#dialler;
  }
}

/** Whether the bytes of a message that is under way changed since it was sent. */
function isChanged(sent: Message, copy: Message): boolean {
  const copies = framesOf(copy);
  return framesOf(sent).some((frame, at) => !isSameFrame(frame, copies[at]!));
}
