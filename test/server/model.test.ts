import { expect } from 'chai';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import type { Framing } from '../../src/protocol/request.js';
import { SharedReading, ordinary } from '../../src/server/reading.js';
import { encodeArray } from '../protocol/reading.js';
import { Conversation } from './conversation.js';
import { serverFixture } from './running-server.js';

type Answer =
  | { readonly kind: 'ok' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'value'; readonly value: string | undefined }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'list'; readonly values: readonly (string | undefined)[] }
  | { readonly kind: 'error'; readonly line: string; readonly resp: string };

const OK: Answer = { kind: 'ok' };

function inLines(answer: Answer): string {
  switch (answer.kind) {
    case 'ok':
      return 'OK\n';
    case 'text':
      return `${answer.text}\n`;
    case 'value':
      return `${answer.value ?? 'NULL'}\n`;
    case 'count':
      return `${String(answer.count)}\n`;
    case 'list':
      return `${[...answer.values.map((value) => value ?? 'NULL'), `END ${String(answer.values.length)}`].join('\n')}\n`;
    case 'error':
      return `ERROR ${answer.line}\n`;
  }
}

function inResp(answer: Answer): string {
  const bulk = (value: string | undefined): string =>
    value === undefined ? '$-1\r\n' : `$${String(value.length)}\r\n${value}\r\n`;
  switch (answer.kind) {
    case 'ok':
      return '+OK\r\n';
    case 'text':
      return `+${answer.text}\r\n`;
    case 'value':
      return bulk(answer.value);
    case 'count':
      return `:${String(answer.count)}\r\n`;
    case 'list':
      return `*${String(answer.values.length)}\r\n${answer.values.map(bulk).join('')}`;
    case 'error':
      return `-${answer.resp}\r\n`;
  }
}

/** Requests of one client on keys of its own, and what a map that takes them one by one answers. */
class Script {
  sent = '';
  expected = '';
  readonly #map = new Map<string, string>();

  constructor(
    readonly random: Random,
    readonly prefix: string,
    readonly framing: Framing,
  ) {}

  #key(): string {
    return `${this.prefix}${String(this.random.below(6))}`;
  }

  /** Sometimes a batch of its own, so that what stands behind it is read before it is durable. */
  #value(): string {
    const length = this.random.below(20) === 0 ? 300_000 : this.random.below(30) + 1;
    return this.random.pick(['a', 'b', 'c']).repeat(length);
  }

  #add(words: readonly string[], answer: Answer): void {
    const isLine = this.framing === 'line';
    this.sent += isLine ? `${words.join(' ')}\n` : encodeArray(...words);
    this.expected += isLine ? inLines(answer) : inResp(answer);
  }

  step(): void {
    const map = this.#map;
    const [key, other] = [this.#key(), this.#key()];
    const counted = (count: number): Answer => ({ kind: 'count', count });
    const requests: (() => void)[] = [
      () => {
        const value = this.#value();
        this.#add(['PUT', key, value], OK);
        map.set(key, value);
      },
      () => this.#add(['GET', key], { kind: 'value', value: map.get(key) }),
      // Reads one behind the other are answered together, as far as that goes.
      () => {
        for (let count = this.random.below(100); count > 0; count--) {
          const name = this.#key();
          this.#add([this.random.pick(['GET', 'get']), name], { kind: 'value', value: map.get(name) });
        }
      },
      // Puts as well.
      () => {
        for (let count = this.random.below(100); count > 0; count--) {
          const [name, value] = [this.#key(), 'v'.repeat(this.random.below(30) + 1)];
          this.#add([this.framing === 'resp' ? this.random.pick(['SET', 'set']) : 'PUT', name, value], OK);
          map.set(name, value);
        }
      },
      () => {
        const wasThere = map.delete(key);
        this.#add(['DELETE', key], wasThere ? OK : { kind: 'value', value: undefined });
      },
      () => this.#add(['DEL', key, other], counted(Number(map.delete(key)) + Number(map.delete(other)))),
      () => this.#add(['MGET', key, other], { kind: 'list', values: [map.get(key), map.get(other)] }),
      () => this.#add(['EXISTS', key, other], counted(Number(map.has(key)) + Number(map.has(other)))),
      () => this.#add(['KEYS', key], { kind: 'list', values: map.has(key) ? [key] : [] }),
      () => {
        this.#add(['MSET', key, '1', other, '2'], OK);
        map.set(key, '1').set(other, '2');
      },
      () =>
        this.#add(['PUT'], {
          kind: 'error',
          line: 'SYNTAX the command is written PUT key value',
          resp: "ERR wrong number of arguments for 'put' command",
        }),
      () => {
        const tooLong = 'TOO_LARGE the pattern has 300 bytes, and 256 is the most';
        this.#add(['KEYS', '*'.repeat(300)], { kind: 'error', line: tooLong, resp: tooLong });
      },
      () => this.#add(['PING'], { kind: 'text', text: 'PONG' }),
    ];
    this.random.pick(requests)();
  }
}

/** Sends it cut anywhere, so that chunks end within requests. */
async function converse(address: string, script: Script, cuts: readonly number[]): Promise<boolean> {
  const conversation = await Conversation.open(address);
  let from = 0;
  for (const to of [...cuts, script.sent.length]) {
    conversation.send(script.sent.slice(from, to));
    from = to;
    await new Promise(setImmediate);
  }
  conversation.end();
  return (await conversation.toTheEnd()) === script.expected;
}

function cutsIn(length: number, random: Random): number[] {
  const cuts = Array.from({ length: random.below(30) }, () => random.below(length));
  return cuts.sort((a, b) => a - b);
}

describe('Pipelines of several clients at once', () => {
  const fixture = serverFixture();

  const areAnswered = (): Promise<void> =>
    withSeed(testSeed(), async (random) => {
      const { address } = await fixture.start();
      for (let round = 0; round < 5; round++) {
        const scripts = ['a', 'b', 'c', 'd', 'e', 'f'].map((prefix, at) => {
          const script = new Script(random, `${prefix}${String(round)}-`, at % 2 === 0 ? 'line' : 'resp');
          for (let step = 0; step < 300; step++) script.step();
          return script;
        });
        const clients = scripts.map((script) =>
          converse(address, script, cutsIn(script.sent.length, random)),
        );
        expect(await Promise.all(clients)).to.deep.equal(scripts.map(() => true));
      }
    });

  it('AreAnsweredAsAMapWouldThatTakesEachRequestInItsTurn', areAnswered);

  it('AreAnsweredTheSameWhereEachConnectionReadsIntoMemoryOfItsOwn', async () => {
    const take = Reflect.get(SharedReading.prototype, 'take');
    SharedReading.prototype.take = ordinary;
    try {
      await areAnswered();
    } finally {
      SharedReading.prototype.take = take;
    }
  });
});
