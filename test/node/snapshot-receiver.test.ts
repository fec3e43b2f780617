import { expect } from 'chai';
import type { Index, Term } from '../../src/engine.js';
import type { Arrival } from '../../src/node/ports.js';
import { SnapshotReceiver } from '../../src/node/snapshot-receiver.js';
import type { SnapshotReceiverParts } from '../../src/node/snapshot-receiver.js';
import type { Input } from '../../src/replication/state.js';

import { HeldClock, SILENT, until } from './engine-fixture.js';

const END = { term: 1 as Term, index: 7 as Index, checksum: 1 };
const PART_BYTES = 10;

interface Write {
  goOn(): void;
  fail(error?: Error): void;
}

/** A file of which the test says when each write is done. */
class HeldArrival implements Arrival {
  size = 0;
  readonly writes: Write[] = [];
  isFinished = false;
  isAbandoned = false;

  add(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.writes.push({ goOn: resolve, fail: (error = new Error('EIO')) => reject(error) });
    });
  }

  finish(): Promise<void> {
    this.isFinished = true;
    return Promise.resolve();
  }

  abandon(): Promise<void> {
    this.isAbandoned = true;
    return Promise.resolve();
  }
}

function receiving() {
  const arrivals: HeldArrival[] = [];
  const told: string[] = [];
  const lacks: string[] = [];
  const clock = new HeldClock();
  const receive = (): Promise<Arrival> => {
    arrivals.push(new HeldArrival());
    return Promise.resolve(arrivals.at(-1)!);
  };
  const receiver = new SnapshotReceiver({
    replacements: { receive } as unknown as SnapshotReceiverParts['replacements'],
    room: {
      lacks: (what: string) => lacks.push(what),
      found: () => undefined,
    } as unknown as SnapshotReceiverParts['room'],
    clock,
    events: SILENT,
    input: (input: Input) => {
      if (input.kind === 'received') told.push(`${String(input.offset)}${input.isWhole ? ' whole' : ''}`);
    },
  });
  const part = (at: number, isLast = false): void => {
    const bytes = Buffer.alloc(PART_BYTES);
    void receiver.receive({ kind: 'receive', end: END, offset: at * PART_BYTES, bytes, isLast });
  };
  return { receiver, arrivals, told, lacks, clock, part };
}

/** Everything that follows without a write that is held. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

describe('Receiving a snapshot', () => {
  it('TakesOnePartWhileAnotherIsBeingWrittenAndNoMore', async () => {
    const { arrivals, told, part } = receiving();
    part(0);
    await settled();
    expect(told, 'the first is being written').to.deep.equal(['10']);
    part(1);
    await settled();
    expect([told.length, arrivals[0]!.writes.length]).to.deep.equal([1, 1]);
    arrivals[0]!.writes[0]!.goOn();
    await settled();
    expect([told, arrivals[0]!.writes.length]).to.deep.equal([['10', '20'], 2]);
  });

  it('IsWholeOnceEverythingIsWrittenAndChecked', async () => {
    const { receiver, arrivals, told, part } = receiving();
    part(0);
    await settled();
    const [arrival] = arrivals;
    part(1, true);
    arrival!.writes[0]!.goOn();
    await settled();
    expect([told, arrival!.isFinished]).to.deep.equal([['10'], false]);
    arrival!.writes[1]!.goOn();
    await settled();
    expect([told, arrival!.isFinished]).to.deep.equal([['10', '20 whole'], true]);
    expect(receiver.arrival).to.equal(arrival);
    receiver.forget();
    expect(receiver.arrival).to.equal(undefined);
  });

  for (const isLast of [false, true]) {
    it(`BeginsAnewWhenAPartCouldNotBeWritten: the next one is ${isLast ? '' : 'not '}the last`, async () => {
      const { receiver, arrivals, told, part } = receiving();
      part(0);
      await settled();
      arrivals[0]!.writes[0]!.fail();
      await settled();
      expect(told, 'it is told with the next part').to.deep.equal(['10']);
      part(1, isLast);
      await settled();
      expect([told, arrivals[0]!.isAbandoned]).to.deep.equal([['10', '0'], true]);
      expect(arrivals[0]!.isFinished).to.equal(false);
      expect(receiver.arrival).to.equal(undefined);
      part(0);
      await settled();
      expect([told, arrivals.length]).to.deep.equal([['10', '0', '10'], 2]);
    });
  }

  it('BeginsAnewAfterAWhileWhenThereIsNoRoom', async () => {
    const { arrivals, told, lacks, clock, part } = receiving();
    part(0, true);
    await settled();
    arrivals[0]!.writes[0]!.fail(Object.assign(new Error('ENOSPC'), { name: 'DiskFull' }));
    await until(() => lacks.length === 1);
    expect(told).to.deep.equal([]);
    clock.pass(10_000);
    await settled();
    expect(told).to.deep.equal(['0']);
  });
});
