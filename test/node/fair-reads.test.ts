import { expect } from 'chai';
import type { Refusal, ValueSink } from '../../src/engine.js';
import type { ReplicaEngine } from '../../src/node/replica-engine.js';
import { get, put, range, startEngine, until } from './engine-fixture.js';
import type { EngineFixture } from './engine-fixture.js';

/** Counts what it is shown in each turn. */
class TurnCounter implements ValueSink {
  readonly isFull = false;
  keys = 0;
  /** The most of one turn. */
  keysATurn = 0;
  bytesATurn = 0;
  turns = 0;
  isDone = false;
  #keysNow = 0;
  #bytesNow = 0;

  constructor() {
    this.#nextTurn();
  }

  hit(_bytes: Buffer, start: number, end: number): void {
    this.#bytesNow += end - start;
    this.#keysNow++;
    this.keys++;
    this.keysATurn = Math.max(this.keysATurn, this.#keysNow);
    this.bytesATurn = Math.max(this.bytesATurn, this.#bytesNow);
  }

  miss(): void {
    throw new Error('every key is there');
  }

  #nextTurn(): void {
    setImmediate(() => {
      this.turns++;
      this.#keysNow = 0;
      this.#bytesNow = 0;
      if (!this.isDone) this.#nextTurn();
    });
  }
}

const MANY = 20_000;
const KEYS = Array.from({ length: MANY }, (_, at) => range(`key${String(at)}`));

async function filled(value: Buffer): Promise<EngineFixture> {
  const fixture = await startEngine();
  for (const key of KEYS) fixture.store.put(key, range(value));
  fixture.store.settle();
  return fixture;
}

function readAll(engine: ReplicaEngine, sink: TurnCounter): Promise<Refusal | undefined> {
  return new Promise((resolve) => {
    engine.readAll(KEYS, sink, (refused) => {
      sink.isDone = true;
      resolve(refused);
    });
  });
}

describe('A read of many keys', () => {
  it('GivesOthersATurnAfterABoundedNumberOfThem', async () => {
    const { engine } = await filled(Buffer.from('v'));
    const sink = new TurnCounter();
    expect(await readAll(engine, sink)).to.equal(undefined);
    expect(sink.keys).to.equal(MANY);
    expect(sink.keysATurn).to.be.at.most(2000);
    expect(sink.turns).to.be.at.least(MANY / 2000 - 1);
  });

  it('GivesOthersATurnAfterABoundedNumberOfTheirBytes', async () => {
    const { engine } = await filled(Buffer.alloc(8 * 1024));
    const sink = new TurnCounter();
    expect(await readAll(engine, sink)).to.equal(undefined);
    expect(sink.bytesATurn).to.be.at.most(2 * 1024 * 1024);
    expect(sink.turns).to.be.at.least(MANY / 250);
  });

  it('KeepsNoSingleReadWaitingAlsoWhenAWriteWaitsForIt', async () => {
    const { engine, store } = await filled(Buffer.from('v'));
    const sink = new TurnCounter();
    const reading = readAll(engine, sink);
    const writing = put(engine, 'key1', 'new');
    await until(() => store.lock.waiting === 1);
    expect(sink.isDone).to.equal(false);
    // The write has its place behind the long read; a short one has its answer at once.
    expect(get(engine, 'key1')).to.equal('v');
    expect(await reading).to.equal(undefined);
    expect(await writing).to.equal(1);
    expect(get(engine, 'key1')).to.equal('new');
  });

  it('HoldsTheLockForAsLongAsItTakesSoThatItSeesOneState', async () => {
    const { engine, store } = await filled(Buffer.from('v'));
    const sink = new TurnCounter();
    const reading = readAll(engine, sink);
    const isWritten: boolean[] = [];
    const writing = put(engine, 'key1', 'new').then(() => isWritten.push(sink.isDone));
    await until(() => store.lock.waiting === 1);
    await Promise.all([reading, writing]);
    expect(isWritten).to.deep.equal([true]);
  });
});

describe('A walk over the keys', () => {
  it('GoesOnBesideAWriteThatWaitsForALongRead', async () => {
    const { engine, store } = await filled(Buffer.from('v'));
    const sink = new TurnCounter();
    const reading = readAll(engine, sink);
    const writing = put(engine, 'key1', 'new');
    await until(() => store.lock.waiting === 1);
    for await (const page of engine.scan(0, { keysMax: 10 })) expect(page).to.include({ cursor: 10 });
    expect(sink.isDone).to.equal(false);
    await Promise.all([reading, writing]);
  });
});
