import { expect } from 'chai';
import fc from 'fast-check';
import type { Refusal, SessionTag } from '../../src/engine.js';
import { EntryKind, EntryReader } from '../../src/log/entry.js';
import { lastIndexOf, readFrame } from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import { sessionIdAt } from '../../src/log/session-id.js';
import { replayFrame } from '../../src/node/applier.js';
import type { Log } from '../../src/node/ports.js';
import type { ReplicaEngine } from '../../src/node/replica-engine.js';
import { openDataDirectory } from '../../src/storage/data-directory.js';
import type { DataDirectory } from '../../src/storage/data-directory.js';
import { Store } from '../../src/store/store.js';
import { StateSum } from '../../src/store/state-sum.js';
import { seededRandom } from '../random.js';
import type { Random } from '../random.js';
import { MemoryDisk } from '../storage/memory-files.js';
import { makeTable } from '../store/make-table.js';
import { HeldClock, SILENT, startEngine, until } from './engine-fixture.js';
import { openSession, operationOf, write } from './session-writes.js';

const IDLE_MS = 20_000;
const CLIENTS = 4;

/** The simplest that does what sessions promise: it forgets nothing, and plays the whole log from its beginning. */
class Model {
  readonly map = new Map<string, string>();
  readonly lowest = new Map<number, number>();
  /** By session and number, what the write was answered when it was applied. */
  readonly answers = new Map<string, number>();

  constructor(frames: readonly Frame[]) {
    for (const frame of frames) this.#play(frame);
  }

  #play(frame: Frame): void {
    const reader = new EntryReader(frame);
    while (reader.nextEntry()) {
      if (reader.kind === EntryKind.openSession) this.lowest.set(sessionIdAt(frame.term, reader.index), 1);
      while (reader.nextSession()) this.lowest.delete(reader.session);
      if (reader.isInSession && !this.#isNew(reader)) continue;
      let count = 0;
      while (reader.nextItem()) {
        const [key, value] = [reader.key, reader.value].map(({ start, end }) =>
          frame.bytes.toString('latin1', start, end),
        );
        if (reader.kind === EntryKind.delete) count += Number(this.map.delete(key!));
        else {
          this.map.set(key!, value!);
          count++;
        }
      }
      if (reader.isInSession) this.answers.set(nameOf(reader), count);
    }
  }

  #isNew(tag: SessionTag): boolean {
    const lowest = this.lowest.get(tag.session);
    if (lowest === undefined) return false;
    this.lowest.set(tag.session, Math.max(lowest, tag.lowest));
    return tag.number >= lowest && !this.answers.has(nameOf(tag));
  }
}

function nameOf({ session, number }: SessionTag): string {
  return `${String(session)}/${String(number)}`;
}

interface Sent {
  readonly tag: SessionTag;
  readonly text: string;
}

/** A client that numbers its writes, and repeats them as it likes: those that wait, and late ones of long ago. */
class Client {
  session: number | undefined;
  next = 1;
  readonly waiting = new Map<number, Sent>();
  readonly sent: Sent[] = [];

  forget(): void {
    this.session = undefined;
    this.next = 1;
    this.waiting.clear();
  }
}

/** One life of the node after the other on one disk, and the whole log as it was written. */
class Lives {
  readonly clients = Array.from({ length: CLIENTS }, () => new Client());
  readonly told: { readonly name: string; readonly answer: number }[] = [];
  readonly #disk = new MemoryDisk();
  readonly #random: Random = seededRandom(7);
  #frames: Frame[] = [];
  #store = new Store(makeTable());
  #data: DataDirectory | undefined;
  #engine: ReplicaEngine | undefined;
  #clock = new HeldClock();
  #underWay = 0;

  async start(): Promise<void> {
    const store = new Store(makeTable());
    this.#store = store;
    this.#clock = new HeldClock();
    const random = (): number => this.#random.next();
    const data = await openDataDirectory({
      files: this.#disk.mount(),
      dbPath: '/data/kv.json',
      fsync: 'always',
      segmentBytes: 4096,
      firstStart: { role: 'primary' },
      isCommitted: () => () => true,
      random,
      randomIdentity: () => this.#random.bytes(16).toString('hex'),
      report: () => undefined,
      target: {
        clear: () => store.clear(),
        put: (key, value) => store.put(key, value),
        session: (id, lowest, answers) => store.sessions.restore(id, lowest, answers),
        replay: (frame) => replayFrame(store, frame),
      },
    });
    this.#data = data;
    // What was not durable when the last life ended is gone.
    this.#frames = this.#frames.filter((frame) => lastIndexOf(frame) <= data.log!.end.index);
    this.#underWay = 0;
    const { engine } = await startEngine({
      store,
      log: () => this.#watched(data.log!, store),
      states: data,
      snapshots: data.snapshots,
      replacements: data,
      state: data.state,
      history: data.history,
      replayedTo: data.replayedTo,
      clock: this.#clock,
      events: SILENT,
      sessionIdleMs: IDLE_MS,
      snapshotLogBytes: 3000,
      random,
      makeReady: () => data.makeReady(),
    });
    this.#engine = engine;
  }

  get engine(): ReplicaEngine {
    if (this.#engine === undefined) throw new Error('nothing runs');
    return this.#engine;
  }

  /** The process ends, with what was under way, and perhaps with what the disk had not yet. */
  async crash(isPowerCut: boolean): Promise<void> {
    if (isPowerCut) this.#disk.cutPower(this.#random);
    else this.#disk.endProcess();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.engine.close();
    await this.#data?.close();
    this.#disk.endProcess();
    await this.start();
  }

  async open(client: Client): Promise<void> {
    if (client.session !== undefined) return;
    const outcome = await openSession(this.engine);
    expect(outcome).to.be.a('number');
    client.session = outcome as number;
  }

  send(client: Client, text: string): void {
    const { session, waiting } = client;
    if (session === undefined) return;
    const number = client.next++;
    const lowest = Math.min(number, ...waiting.keys());
    const sent = { tag: { session, number, lowest }, text };
    waiting.set(number, sent);
    client.sent.push(sent);
    this.repeat(client, sent);
  }

  repeat(client: Client, { tag, text }: Sent): void {
    const { engine } = this;
    this.#underWay++;
    const written = (refused: Refusal | undefined, count: number): void => {
      // Nobody hears what a process says that is gone.
      if (engine !== this.#engine) return;
      this.#underWay--;
      if (refused === undefined) {
        this.told.push({ name: nameOf(tag), answer: count });
        if (tag.session === client.session) client.waiting.delete(tag.number);
        return;
      }
      expect(refused.code).to.equal('SESSION_EXPIRED');
      const isForgotten = tag.number < Math.min(client.next, ...client.waiting.keys());
      if (tag.session === client.session && !isForgotten) client.forget();
    };
    engine.write(operationOf(text), { written }, tag);
  }

  async settle(): Promise<void> {
    await until(() => this.#underWay === 0);
  }

  /** Lets so much time pass that sessions end that nobody uses. */
  async idle(): Promise<void> {
    await this.settle();
    this.#clock.pass(IDLE_MS + 1000);
    // Whatever was proposed stands in front of this.
    await write(this.engine, operationOf('put idle 1'));
  }

  async check(): Promise<void> {
    // One that is being written goes through the store as this does, and there is one walk at a time.
    await this.engine.snapshot();
    const model = new Model(this.#frames);
    const store = this.#store;
    const map = new Map<string, string>();
    const table = store.walk((key, value) =>
      map.set(
        key.bytes.toString('latin1', key.start, key.end),
        value.bytes.toString('latin1', value.start, value.end),
      ),
    );
    while (!table.step(1000, () => false));
    expect(map).to.deep.equal(model.map);
    const lowest = new Map<number, number>();
    const sessions = store.sessions.walk((id, from, answers) => {
      lowest.set(id, from);
      for (const [at, answer] of answers.entries())
        expect(answer).to.equal(
          model.answers.get(nameOf({ session: id, number: from + at, lowest: 1 })) ?? -1,
        );
    });
    while (!sessions.step(1000, () => false));
    expect(lowest).to.deep.equal(model.lowest);
    for (const { name, answer } of this.told) expect(answer, name).to.equal(model.answers.get(name));
    expect(sumOf(store)).to.equal(this.#sumOfLog());
  }

  /** The state of a node that has the same log and none of the snapshots. */
  #sumOfLog(): string {
    const store = new Store(makeTable());
    for (const frame of this.#frames) replayFrame(store, frame);
    return sumOf(store);
  }

  #watched(log: Log, store: Store): Log {
    return new Proxy(log, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (name === 'append')
          return async (frames: readonly Frame[]) => {
            // What a process still does that is gone reaches no disk.
            if (this.#store === store) this.#frames.push(...frames.map(copyOf));
            await target.append(frames);
          };
        if (name === 'appendNow')
          return (frames: readonly Frame[]) => {
            const isDone = target.appendNow(frames);
            if (isDone && this.#store === store) this.#frames.push(...frames.map(copyOf));
            return isDone;
          };
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
      },
    });
  }
}

function copyOf(frame: Frame): Frame {
  const bytes = Buffer.from(frame.bytes.subarray(frame.start, frame.end));
  return readFrame(bytes, 0, bytes.length) as Frame;
}

function sumOf(store: Store): string {
  const sum = new StateSum();
  const walks = [
    store.walk((key, value) => sum.add(key, value)),
    store.sessions.walk((...seen) => sum.addSession(...seen)),
  ];
  for (const walk of walks) while (!walk.step(1000, () => false));
  return sum.text;
}

const anyStep = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      client: fc.nat(CLIENTS - 1),
      what: fc.nat(2),
      key: fc.nat(3),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('repeat' as const), client: fc.nat(CLIENTS - 1), at: fc.nat() }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('repeat waiting' as const), client: fc.nat(CLIENTS - 1) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('open' as const), client: fc.nat(CLIENTS - 1) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('settle' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const), isPowerCut: fc.boolean() }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('stop' as const, 'snapshot' as const, 'idle' as const) }),
  },
);

async function take(
  lives: Lives,
  step: typeof anyStep extends fc.Arbitrary<infer Step> ? Step : never,
  at: number,
): Promise<void> {
  switch (step.kind) {
    case 'send': {
      const key = `k${String(step.key)}`;
      const texts = [
        `put ${key} ${String(at)}`,
        `delete ${key} k0`,
        `put ${key} ${String(at)} other ${String(at)}`,
      ];
      lives.send(lives.clients[step.client]!, texts[step.what]!);
      return;
    }
    case 'repeat': {
      const client = lives.clients[step.client]!;
      const sent = client.sent[step.at % (client.sent.length || 1)];
      if (sent !== undefined) lives.repeat(client, sent);
      return;
    }
    case 'repeat waiting': {
      const client = lives.clients[step.client]!;
      for (const sent of client.waiting.values()) lives.repeat(client, sent);
      return;
    }
    case 'open':
      return lives.open(lives.clients[step.client]!);
    case 'settle':
      return lives.settle();
    case 'crash':
      return lives.crash(step.isPowerCut);
    case 'stop':
      await lives.settle();
      return lives.stop();
    case 'snapshot':
      void lives.engine.snapshot();
      return;
    case 'idle':
      return lives.idle();
  }
}

describe('Sessions over the lives of a node', () => {
  it('AreAsAModelSaysThatPlaysTheWholeLogWhateverIsRepeatedAndWheneverItCrashes', async function () {
    this.timeout(120_000);
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { minLength: 5, maxLength: 80 }), async (steps) => {
        const lives = new Lives();
        await lives.start();
        for (const client of lives.clients) await lives.open(client);
        for (const [at, step] of steps.entries()) await take(lives, step, at);
        await lives.settle();
        await lives.check();
        // What a client still waits for is done exactly once, and then known.
        for (const client of lives.clients)
          for (const sent of client.waiting.values()) lives.repeat(client, sent);
        await lives.settle();
        await lives.check();
        await lives.crash(false);
        await lives.check();
      }),
      { numRuns: 60 },
    );
  });
});
