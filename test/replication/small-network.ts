import type { Message } from '../../src/replication/message.js';
import type { Random } from '../random.js';

/** What carries the messages of a few nodes, each a letter: it delivers, and as a test wants it, drops, delays, doubles and reorders. */

export interface Letter {
  readonly from: string;
  readonly to: string;
  readonly link: number;
  readonly message: Message;
}

/** What may become of each message, by chance. */
export interface Weather {
  readonly random: Random;
  readonly lostShare: number;
  readonly doubledShare: number;
  /** Each is late by its own time up to this one, so they overtake one another. */
  readonly lateMaxMs: number;
}

/** It has more to carry than a few nodes ever say: they answer each other for ever. */
const WAITING_MAX = 20_000;

export class SmallNetwork {
  weather: Weather | undefined;
  /** What this one says is heard first. */
  preferred: string | undefined;
  /** Says which messages never arrive. */
  isLost: (letter: Letter) => boolean = () => false;
  /** Everything that was said since this was emptied, arrived or not. */
  said: Letter[] = [];
  readonly #cut = new Set<string>();
  #waiting: { readonly letter: Letter; readonly dueMs: number }[] = [];

  /** Nothing that one says reaches the other any more; what the other says still does. */
  cutOneWay(from: string, to: string): void {
    this.#cut.add(from + to);
  }

  cut(one: string, other: string): void {
    this.cutOneWay(one, other);
    this.cutOneWay(other, one);
  }

  join(one: string, other: string): void {
    this.#cut.delete(one + other);
    this.#cut.delete(other + one);
  }

  heal(): void {
    this.#cut.clear();
    this.isLost = () => false;
    this.preferred = undefined;
    this.weather = undefined;
  }

  send(letter: Letter, nowMs: number): void {
    this.said.push(letter);
    if (this.#cut.has(letter.from + letter.to) || this.isLost(letter)) return;
    const { weather } = this;
    const copies = weather !== undefined && weather.random.next() < weather.doubledShare ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (weather !== undefined && weather.random.next() < weather.lostShare) continue;
      const lateMs = weather === undefined ? 0 : weather.random.next() * weather.lateMaxMs;
      this.#waiting.push({ letter, dueMs: nowMs + lateMs });
    }
    if (this.#waiting.length > WAITING_MAX) throw new Error('the nodes go on for ever');
  }

  /** The next one that has arrived by now, for somebody who listens. */
  take(nowMs: number, listens: (to: string) => boolean): Letter | undefined {
    const isHere = ({ letter, dueMs }: { letter: Letter; dueMs: number }): boolean =>
      dueMs <= nowMs && listens(letter.to);
    const first = this.#waiting.findIndex((each) => each.letter.from === this.preferred && isHere(each));
    const at = first < 0 ? this.#waiting.findIndex(isHere) : first;
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0]?.letter;
  }

  /** A link is gone, and what was on it. */
  forget(link: number): void {
    this.#waiting = this.#waiting.filter(({ letter }) => letter.link !== link);
  }
}
