import { expect } from 'chai';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { Conversation } from './conversation.js';
import { serverFixture } from './running-server.js';

/** Requests of one client on keys of its own, and what a map that takes them one by one answers. */
class Script {
  sent = '';
  expected = '';
  readonly #map = new Map<string, string>();

  constructor(
    readonly random: Random,
    readonly prefix: string,
  ) {}

  #key(): string {
    return `${this.prefix}${String(this.random.below(6))}`;
  }

  /** Sometimes a batch of its own, so that what stands behind it is read before it is durable. */
  #value(): string {
    const length = this.random.below(20) === 0 ? 300_000 : this.random.below(30) + 1;
    return this.random.pick(['a', 'b', 'c']).repeat(length);
  }

  #add(request: string, reply: string): void {
    this.sent += `${request}\n`;
    this.expected += `${reply}\n`;
  }

  step(): void {
    const map = this.#map;
    const [key, other] = [this.#key(), this.#key()];
    const list = (items: string[]): string => [...items, `END ${String(items.length)}`].join('\n');
    const requests: (() => void)[] = [
      () => {
        const value = this.#value();
        this.#add(`PUT ${key} ${value}`, 'OK');
        map.set(key, value);
      },
      () => this.#add(`GET ${key}`, map.get(key) ?? 'NULL'),
      () => this.#add(`DELETE ${key}`, map.delete(key) ? 'OK' : 'NULL'),
      () => this.#add(`DEL ${key} ${other}`, String(Number(map.delete(key)) + Number(map.delete(other)))),
      () => this.#add(`MGET ${key} ${other}`, list([key, other].map((name) => map.get(name) ?? 'NULL'))),
      () => this.#add(`EXISTS ${key} ${other}`, String(Number(map.has(key)) + Number(map.has(other)))),
      () => this.#add(`KEYS ${key}`, list(map.has(key) ? [key] : [])),
      () => {
        this.#add(`MSET ${key} 1 ${other} 2`, 'OK');
        map.set(key, '1').set(other, '2');
      },
      () => this.#add('PUT', 'ERROR SYNTAX the command is written PUT key value'),
      () =>
        this.#add(
          `KEYS ${'*'.repeat(300)}`,
          'ERROR TOO_LARGE the pattern has 300 bytes, and 256 is the most',
        ),
      () => this.#add('PING', 'PONG'),
    ];
    this.random.pick(requests)();
  }
}

describe('Pipelines of several clients at once', () => {
  const fixture = serverFixture();

  it('AreAnsweredAsAMapWouldThatTakesEachRequestInItsTurn', async () => {
    await withSeed(testSeed(), async (random) => {
      const { address } = await fixture.start();
      for (let round = 0; round < 5; round++) {
        const clients = ['a', 'b', 'c', 'd'].map(async (prefix) => {
          const script = new Script(random, `${prefix}${String(round)}-`);
          for (let step = 0; step < 400; step++) script.step();
          const conversation = await Conversation.open(address);
          conversation.send(script.sent);
          conversation.end();
          expect((await conversation.toTheEnd()) === script.expected).to.equal(true);
        });
        await Promise.all(clients);
      }
    });
  });
});
