import { expect } from 'chai';
import { systemClock, turn } from '../../src/clock.js';
import { AfterTurn } from '../../src/server/after-turn.js';
import { HELD_MS_MAX, HeldReplies } from '../../src/server/held-replies.js';
import { DEFAULT_SERVER_LIMITS } from '../../src/server/limits.js';
import { startServer } from '../../src/server/server.js';
import type { RunningServer } from '../../src/server/server.js';
import { HeldClock, SILENT, put, startEngine, until } from '../node/engine-fixture.js';
import type { EngineFixture } from '../node/engine-fixture.js';
import { encodeArray } from '../protocol/reading.js';
import { Conversation } from './conversation.js';

const HELD_BYTES_MAX = 32 * 1024;
const OK = '+OK\r\n';
const PRESENT = '$1\r\nv\r\n';
const MISSING = '$-1\r\n';

describe('Replies around a write that takes its time', () => {
  let fixture: EngineFixture;
  let server: RunningServer;
  let client: Conversation;

  beforeEach(async () => {
    fixture = await startEngine();
    const { engine, clock } = fixture;
    const parts = { engine, version: '0', clock, events: SILENT, limits: DEFAULT_SERVER_LIMITS };
    server = await startServer(parts, '127.0.0.1', 0);
    client = await Conversation.open(`127.0.0.1:${String(server.port)}`);
    await put(engine, 'a', 'v');
    fixture.log.hold = true;
  });

  afterEach(async () => {
    client.socket.destroy();
    await server.stop();
  });

  /** The write that is held, and those that come. */
  function letThrough(): void {
    fixture.log.hold = false;
    fixture.log.held.shift()!.release();
  }

  function gets(...keys: string[]): string {
    return keys.map((key) => encodeArray('GET', key)).join('');
  }

  const FRONT = PRESENT + MISSING;
  const REST = OK + PRESENT + PRESENT + MISSING;

  /** Reads, a write that is being written, and reads behind it. */
  async function ask(): Promise<void> {
    client.send(gets('a', 'b') + encodeArray('SET', 'b', 'v') + gets('b', 'a', 'c'));
    await until(() => fixture.log.held.length === 1);
    await until(() => fixture.clock.isDueIn(HELD_MS_MAX));
    // Whatever was sent before that would be there by now.
    await turn(systemClock);
    expect(client.received).to.equal('');
  }

  it('InFrontOfItAreSentWithIt', async () => {
    await ask();
    letThrough();
    expect(await client.until((received) => received.length >= (FRONT + REST).length)).to.equal(FRONT + REST);
    // Nothing is left to be sent then.
    fixture.clock.pass(HELD_MS_MAX);
    client.send(gets('a'));
    const all = FRONT + REST + PRESENT;
    expect(await client.until((received) => received.length >= all.length)).to.equal(all);
  });

  it('InFrontOfItAreSentWithoutItAfterAMillisecond', async () => {
    await ask();
    fixture.clock.pass(HELD_MS_MAX);
    expect(await client.until((received) => received.length >= FRONT.length)).to.equal(FRONT);
    letThrough();
    expect(await client.until((received) => received.length >= (FRONT + REST).length)).to.equal(FRONT + REST);
  });

  it('InFrontOfItAreSentAtOnceWhereTheyAreMoreThanMayWait', async () => {
    fixture.log.hold = false;
    // With a header of eight bytes and a line ending.
    const value = 'v'.repeat(HELD_BYTES_MAX - 9);
    await put(fixture.engine, 'more', value);
    fixture.log.hold = true;
    client.send(gets('more') + encodeArray('SET', 'b', 'v'));
    const more = `$${String(value.length)}\r\n${value}\r\n`;
    expect(await client.until((received) => received.length >= more.length)).to.equal(more);
    await until(() => fixture.log.held.length === 1);
    letThrough();
    expect(await client.until((received) => received.length > more.length)).to.equal(more + OK);
  });

  it('BehindItSeeItAndNothingOfTheOneBehindThem', async () => {
    const sent = ['1', '2', '3']
      .map((value) => encodeArray('SET', 'n', value) + gets('n', 'm', 'n'))
      .join('');
    client.send(sent);
    await until(() => fixture.log.held.length === 1);
    letThrough();
    const expected = ['1', '2', '3'].map((value) => {
      const shown = `$1\r\n${value}\r\n`;
      return OK + shown + MISSING + shown;
    });
    expect(await client.until((received) => received.length >= expected.join('').length)).to.equal(
      expected.join(''),
    );
  });
});

/** A clock of which the next turn does not come before the test says so. */
class HeldTurns extends HeldClock {
  #waiting: (() => void)[] | undefined = [];

  /** How much waits for it. */
  get waiting(): number {
    return this.#waiting?.length ?? 0;
  }

  override nextTurn(work: () => void): void {
    if (this.#waiting === undefined) super.nextTurn(work);
    else this.#waiting.push(work);
  }

  /** Turns come again from here on. */
  letGo(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const work of waiting) work();
  }
}

describe('Replies that gathered in a turn', () => {
  const clients: Conversation[] = [];
  let clock: HeldTurns;
  let server: RunningServer;

  beforeEach(() => {
    clock = new HeldTurns();
  });

  afterEach(async () => {
    clock.letGo();
    for (const client of clients.splice(0)) client.socket.destroy();
    await server.stop();
  });

  it('AreSentAtItsEndAndAtOnceWhereTheyAreMoreThanMayWait', async () => {
    const { engine } = await startEngine();
    // A header of eight bytes, and a line ending.
    const values = { most: 'v'.repeat(HELD_BYTES_MAX - 10), more: 'v'.repeat(HELD_BYTES_MAX - 9) };
    for (const [key, value] of Object.entries(values)) await put(engine, key, value);
    const parts = { engine, version: '0', clock, events: SILENT, limits: DEFAULT_SERVER_LIMITS };
    server = await startServer(parts, '127.0.0.1', 0);
    const open = (): Promise<Conversation> => Conversation.open(`127.0.0.1:${String(server.port)}`);
    const [waiting, served] = [await open(), await open()];
    clients.push(waiting, served);

    waiting.send(encodeArray('GET', 'most'));
    await until(() => clock.waiting > 0);
    served.send(encodeArray('GET', 'more'));
    const more = await served.until((received) => received.length > HELD_BYTES_MAX);
    expect(more).to.equal(`$32759\r\n${values.more}\r\n`);
    // Whatever was sent before that would be there by now.
    await turn(systemClock);
    expect(waiting.received).to.equal('');

    clock.letGo();
    const most = await waiting.until((received) => received.length >= HELD_BYTES_MAX);
    expect(most).to.equal(`$32758\r\n${values.most}\r\n`);
  });
});

describe('What is done after a turn', () => {
  it('IsDoneOnceForAllInItsOrderBehindWhatTheTurnItselfAskedFor', async () => {
    const done: string[] = [];
    const afterTurn = new AfterTurn(systemClock);
    systemClock.nextTurn(() => {
      done.push('write');
      void Promise.resolve().then(() => done.push('settled'));
    });
    afterTurn.add(() => done.push('first'));
    afterTurn.add(() => {
      done.push('second');
      afterTurn.add(() => done.push('next turn'));
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(done).to.deep.equal(['write', 'settled', 'first', 'second']);
    await new Promise((resolve) => setImmediate(resolve));
    expect(done.at(-1)).to.equal('next turn');
  });
});

describe('What is held for a while', () => {
  it('IsDoneOnceWhoeverAsksHoweverOftenAndAgainForThoseWhoAskThen', () => {
    const clock = new HeldClock();
    const held = new HeldReplies(clock);
    const done: string[] = [];
    const first = (): void => {
      done.push('first');
      held.add(second);
    };
    const second = (): void => void done.push('second');
    held.add(first);
    held.add(first);
    clock.pass(HELD_MS_MAX / 2);
    held.add(second);
    expect(done).to.deep.equal([]);
    clock.pass(HELD_MS_MAX / 2);
    expect(done).to.deep.equal(['first', 'second']);
    clock.pass(HELD_MS_MAX);
    expect(done).to.deep.equal(['first', 'second', 'second']);
    clock.pass(HELD_MS_MAX);
    expect(done.length).to.equal(3);
  });
});
