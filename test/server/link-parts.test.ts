import { expect } from 'chai';
import fc from 'fast-check';
import { AssemblyBudget } from '../../src/server/assembly-budget.js';
import {
  KEPT_BYTES_MAX,
  PART_BYTES_MAX,
  PartQueue,
  PartReader,
  URGENT_BYTES_MAX,
} from '../../src/server/link-parts.js';
import type { PartSink } from '../../src/server/link-parts.js';

const BYTES_MAX = 4 * PART_BYTES_MAX;

class Sink implements PartSink {
  readonly messages: Buffer[] = [];
  questions = 0;
  isClosed = false;

  message(bytes: Buffer): void {
    this.messages.push(bytes);
  }

  asked(): void {
    this.questions++;
  }
}

/** Everything that waits, part by part. */
function drain(queue: PartQueue): Buffer[] {
  const taken: Buffer[] = [];
  for (;;) {
    const pieces = queue.take();
    if (pieces.length === 0) return taken;
    taken.push(Buffer.concat(pieces));
  }
}

function add(queue: PartQueue, ...pieces: Buffer[]): void {
  queue.add(
    pieces,
    pieces.reduce((sum, piece) => sum + piece.length, 0),
  );
}

function read(bytes: Buffer, cuts: readonly number[] = [], bytesMax = BYTES_MAX): [Sink, string | undefined] {
  const reader = new PartReader(bytesMax);
  const sink = new Sink();
  let from = 0;
  for (const to of [...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length]) {
    const fault = reader.read(bytes.subarray(from, to), sink);
    if (fault !== undefined) return [sink, fault];
    from = to;
  }
  return [sink, undefined];
}

function part(length: number, lane: number, isLast: number, zero = 0): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(length);
  head[4] = lane;
  head[5] = isLast;
  head.writeUInt16LE(zero, 6);
  return Buffer.concat([head, Buffer.alloc(Math.min(length, PART_BYTES_MAX + 1), 'x')]);
}

describe('Parts of messages', () => {
  it('KeepNothingOfAChunkThatIsLentHoweverTheyAreCut', () => {
    const length = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: BYTES_MAX / 2 }));
    fc.assert(
      fc.property(
        fc.array(length, { maxLength: 5 }),
        fc.integer({ min: 1, max: 100_000 }),
        (lengths, cut) => {
          const queue = new PartQueue();
          const sent = lengths.map((bytes, at) => Buffer.alloc(bytes, 97 + at));
          for (const message of sent) add(queue, message);
          const wire = Buffer.concat(drain(queue));
          const reader = new PartReader(BYTES_MAX);
          const sink = new Sink();
          const lent = Buffer.alloc(cut);
          for (let from = 0; from < wire.length; from += cut) {
            const bytes = wire.copy(lent, 0, from, from + cut);
            expect(reader.read(lent.subarray(0, bytes), sink, true)).to.equal(undefined);
            // The next chunk lies in the same place.
            lent.fill('!');
          }
          const inOrder = (messages: Buffer[]): Buffer[] => messages.sort((a, b) => a.compare(b));
          expect(Buffer.concat(inOrder(sink.messages)).equals(Buffer.concat(inOrder(sent)))).to.equal(true);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('OneThatLiesInAChunkOfItsOwnIsNotCopied', () => {
    const chunk = part(100, 0, 1);
    const [{ messages }] = read(chunk);
    expect(messages[0]!.buffer).to.equal(chunk.buffer);
  });

  it('MessagesComeThroughInTheOrderOfTheirLaneHoweverTheyAreCut', () => {
    const length = fc.oneof(
      fc.integer({ min: 1, max: 100 }),
      fc.constantFrom(URGENT_BYTES_MAX, URGENT_BYTES_MAX + 1, PART_BYTES_MAX, PART_BYTES_MAX + 1, BYTES_MAX),
    );
    const property = fc.property(
      fc.array(length, { maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (lengths, cuts) => {
        const queue = new PartQueue();
        const messages = lengths.map((bytes, at) => Buffer.alloc(bytes, at + 1));
        for (const message of messages) {
          const third = Math.floor(message.length / 3);
          add(queue, message.subarray(0, third), Buffer.alloc(0), message.subarray(third));
        }
        const [sink, fault] = read(Buffer.concat(drain(queue)), cuts);
        expect(fault).to.equal(undefined);
        const isShort = (message: Buffer): boolean => message.length <= URGENT_BYTES_MAX;
        const isLong = (message: Buffer): boolean => !isShort(message);
        for (const lane of [isShort, isLong]) {
          expect(
            Buffer.concat(sink.messages.filter(lane)).equals(Buffer.concat(messages.filter(lane))),
          ).to.equal(true);
        }
        expect(sink.messages).to.have.length(messages.length);
        expect(queue.bytes).to.equal(0);
      },
    );
    fc.assert(property, { numRuns: 60 });
  });

  it('AShortMessagePassesBetweenThePartsOfALongOne', () => {
    const queue = new PartQueue();
    const long = Buffer.alloc(BYTES_MAX, 'l');
    add(queue, long);
    const first = Buffer.concat(queue.take());
    add(queue, Buffer.from('short'));
    const [sink] = read(Buffer.concat([first, ...drain(queue)]));
    expect(sink.messages.map((message) => message.length)).to.deep.equal([5, BYTES_MAX]);
    expect(sink.messages[1]!.equals(long)).to.equal(true);
  });

  it('NoPartIsLongerThanItsBound', () => {
    const queue = new PartQueue();
    add(queue, Buffer.alloc(BYTES_MAX - 1));
    const lengths = drain(queue).map((bytes) => bytes.length - 8);
    expect(lengths).to.deep.equal([PART_BYTES_MAX, PART_BYTES_MAX, PART_BYTES_MAX, PART_BYTES_MAX - 1]);
  });

  it('WhatWaitsIsCountedUntilItIsTaken', () => {
    const queue = new PartQueue();
    add(queue, Buffer.alloc(PART_BYTES_MAX + 10));
    expect(queue.bytes).to.equal(PART_BYTES_MAX + 10);
    queue.take();
    expect(queue.bytes).to.equal(10);
    add(queue, Buffer.alloc(5));
    expect(queue.bytes).to.equal(10 + 8 + 5);
    queue.clear();
    expect([queue.bytes, queue.take().length]).to.deep.equal([0, 0]);
  });

  it('AQuestionIsTold', () => {
    const queue = new PartQueue();
    queue.ask();
    queue.answer();
    const [sink, fault] = read(Buffer.concat(drain(queue)), [3]);
    expect([sink.questions, sink.messages.length, fault]).to.deep.equal([1, 0, undefined]);
  });

  it('AMessageIsTakenUpToItsBound', () => {
    const parts = (last: number): Buffer =>
      Buffer.concat([part(PART_BYTES_MAX, 1, 0), part(PART_BYTES_MAX, 1, 0), part(last, 1, 1)]);
    const bound = 2 * PART_BYTES_MAX + 5;
    expect(read(parts(5), [], bound)[0].messages[0]).to.have.length(bound);
    expect(read(parts(6), [], bound)[1]).to.equal('a message longer than it may be');
    expect(read(part(URGENT_BYTES_MAX, 0, 1))[1]).to.equal(undefined);
    expect(read(part(URGENT_BYTES_MAX + 1, 0, 1))[1]).to.equal('a message longer than it may be');
  });

  it('AllReadersTogetherHoldWhatTheirBudgetHasAndNoMore', () => {
    const budget = new AssemblyBudget(2 * PART_BYTES_MAX);
    const sink = new Sink();
    const readers = Array.from({ length: 3 }, () => new PartReader(BYTES_MAX, { budget }));
    const [first, second, third] = readers as [PartReader, PartReader, PartReader];
    for (const reader of [first, second]) {
      expect(reader.read(part(PART_BYTES_MAX, 1, 0), sink)).to.equal(undefined);
    }
    expect(budget.bytes).to.equal(2 * PART_BYTES_MAX);
    expect(third.read(part(1, 0, 0), sink)).to.include('more than all links together');
    first.release();
    expect(budget.bytes, 'a link that is closed').to.equal(PART_BYTES_MAX);
    expect(second.read(part(1, 1, 1), sink)).to.equal(undefined);
    expect(sink.messages.map(({ length }) => length)).to.deep.equal([PART_BYTES_MAX + 1]);
    expect(budget.bytes, 'of a message that is whole').to.equal(PART_BYTES_MAX);
    for (let count = 0; count < 5; count++) third.read(part(100, 0, 1), sink);
    expect(budget.bytes).to.equal(PART_BYTES_MAX);
    second.release();
    expect(budget.bytes).to.equal(0);
  });

  it('MemoryForTheBeginningOfAMessageIsKeptForTheNextUpToItsBound', () => {
    const budget = new AssemblyBudget(Infinity);
    const sink = new Sink();
    const reader = new PartReader(2 * KEPT_BYTES_MAX, { budget });
    const whole = (bytes: number): void => {
      for (let rest = bytes; rest > 0; rest -= PART_BYTES_MAX) {
        reader.read(part(Math.min(rest, PART_BYTES_MAX), 1, Number(rest <= PART_BYTES_MAX)), sink);
      }
    };
    whole(KEPT_BYTES_MAX + PART_BYTES_MAX);
    expect(budget.bytes).to.equal(KEPT_BYTES_MAX);
    whole(KEPT_BYTES_MAX);
    expect(budget.bytes).to.equal(KEPT_BYTES_MAX);
    whole(KEPT_BYTES_MAX + PART_BYTES_MAX + 1);
    expect(budget.bytes, 'it was more').to.equal(0);
    expect(sink.messages.map(({ length }) => length)).to.deep.equal(
      [1, 0, 1].map((more, at) => KEPT_BYTES_MAX + more * PART_BYTES_MAX + Number(at === 2)),
    );
  });

  const malformed: readonly (readonly [string, Buffer])[] = [
    ['an unknown lane', part(1, 4, 1)],
    ['a flag that is none', part(1, 1, 2)],
    ['bytes that must be 0', part(1, 1, 1, 1)],
    ['an empty part', part(0, 1, 1)],
    ['a part past its bound', part(PART_BYTES_MAX + 1, 1, 1)],
    ['a question that carries something', part(1, 2, 1)],
    ['text', Buffer.from('OK version=1 and so on\n')],
  ];
  for (const [what, bytes] of malformed) {
    it(`IsRefusedWith ${what}`, () => {
      const [sink, fault] = read(bytes);
      expect(fault).to.be.a('string');
      expect(sink.messages).to.have.length(0);
    });
  }

  it('NothingIsTakenOnceTheReceiverIsClosed', () => {
    const queue = new PartQueue();
    for (const text of ['a', 'b', 'c']) add(queue, Buffer.from(text));
    const sink = new Sink();
    const closing: PartSink = {
      message: (bytes) => {
        sink.message(bytes);
        sink.isClosed = sink.messages.length === 2;
      },
      asked: () => undefined,
      get isClosed() {
        return sink.isClosed;
      },
    };
    new PartReader(BYTES_MAX).read(Buffer.concat(drain(queue)), closing);
    expect(sink.messages.map(String)).to.deep.equal(['a', 'b']);
  });
});
