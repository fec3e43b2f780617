import { expect } from 'chai';
import fc from 'fast-check';
import { ReplyBuffer } from '../../src/protocol/reply-buffer.js';
import type { Rendering } from '../../src/protocol/reply-buffer.js';
import { takeAll } from './replying.js';

function taken(buffer: ReplyBuffer, bytesMax?: number): string {
  return Buffer.concat(takeAll(buffer, bytesMax)).toString('latin1');
}

/** Makes its letters a few at a time, and nothing at first. */
class Letters implements Rendering {
  #left: string;
  #hasLooked = false;

  constructor(letters: string) {
    this.#left = letters;
  }

  get waitingBytes(): number {
    return this.#left.length;
  }

  next(): Buffer {
    const made = this.#hasLooked ? this.#left.slice(0, 700) : '';
    this.#hasLooked = true;
    this.#left = this.#left.slice(made.length);
    return Buffer.from(made);
  }
}

describe('The buffer of replies', () => {
  it('LeavesBytesAloneThatSomebodyStillHolds', () => {
    const buffer = new ReplyBuffer();
    buffer.ascii('first');
    const first = buffer.take(Infinity);
    buffer.taken(true);
    buffer.ascii('other');
    expect(first.toString()).to.equal('first');
    expect(taken(buffer)).to.equal('other');
  });

  it('GivesRepliesOfOneLengthAsOneObjectWhileTheirMemoryIsTheSame', () => {
    const buffer = new ReplyBuffer();
    const reply = (text: string, stillInUse = false): Buffer => {
      buffer.ascii(text);
      const bytes = buffer.take(Infinity);
      expect(bytes.toString()).to.equal(text);
      buffer.taken(stillInUse);
      return bytes;
    };
    const first = reply('first');
    expect(reply('other')).to.equal(first);
    const longer = reply('longer');
    expect(reply('others', true)).to.equal(longer);
    expect(reply('apart!'), 'somebody holds that').not.to.equal(longer);
    expect(longer.toString()).to.equal('others');
  });

  it('BeginsAnewOnceItsBytesWereTaken', () => {
    for (const length of [1, 5_000_000]) {
      const buffer = new ReplyBuffer();
      buffer.copy(Buffer.alloc(length, 'v'));
      expect(buffer.length).to.equal(length);
      expect(taken(buffer)).to.have.length(length);
      buffer.taken(false);
      expect(buffer.length).to.equal(0);
      buffer.ascii('OK');
      expect(taken(buffer)).to.equal('OK');
    }
  });

  it('LetsGoOfTheRoomThatOneLargeReplyTook', () => {
    const buffer = new ReplyBuffer();
    buffer.copy(Buffer.alloc(5_000_000, 'v'));
    takeAll(buffer);
    buffer.taken(false);
    buffer.ascii('OK');
    expect(buffer.room.buffer.byteLength).to.be.below(1_000_000);
  });

  it('NeverMovesWhatWasWrittenToMakeRoom', () => {
    const buffer = new ReplyBuffer();
    const value = Buffer.alloc(1000, 'v');
    for (let at = 0; at < 2000; at++) buffer.copy(value);
    expect(buffer.length).to.equal(2_000_000);
    const pieces = takeAll(buffer);
    expect(pieces.length).to.be.above(5);
    for (const piece of pieces) expect(piece.length).to.be.at.most(256 * 1024);
  });

  it('NeitherCopiesNorWritesToWhatItWasToldToKeep', () => {
    const buffer = new ReplyBuffer();
    const value = Buffer.alloc(100_000, 'v');
    buffer.ascii('before');
    const mark = buffer.length;
    buffer.keep(value.subarray(10, 99_990));
    buffer.ascii('after');
    buffer.rollBack(mark);
    buffer.ascii('again');
    buffer.keep(value.subarray(10, 99_990));
    const pieces = takeAll(buffer);
    expect(pieces.map((piece) => piece.length)).to.deep.equal([6, 5, 99_980]);
    expect(pieces[2]?.buffer).to.equal(value.buffer);
    expect(value.equals(Buffer.alloc(100_000, 'v'))).to.equal(true);
  });

  it('HoldsWhatAPlainStringWouldHoldWhateverIsDoneToIt', () => {
    const length = fc.nat({ max: 9000 });
    const letter = fc.integer({ min: 97, max: 122 }).map((code) => String.fromCharCode(code));
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const steps = fc.array(
      fc.oneof(
        fc.record({
          kind: fc.constantFrom('write' as const, 'keep' as const, 'render' as const),
          length,
          letter,
        }),
        fc.record({ kind: fc.constantFrom('rollBack' as const, 'insert' as const, 'take' as const), share }),
        fc.record({ kind: fc.constant('taken' as const), isHeld: fc.boolean() }),
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(steps, (all) => expectToHold(all)),
      { numRuns: 500 },
    );
  });
});

type Step =
  | { readonly kind: 'write' | 'keep' | 'render'; readonly length: number; readonly letter: string }
  | { readonly kind: 'rollBack' | 'insert' | 'take'; readonly share: number }
  | { readonly kind: 'taken'; readonly isHeld: boolean };

/** Does the same to a buffer and to a string. */
function expectToHold(steps: readonly Step[]): void {
  const buffer = new ReplyBuffer();
  let model = '';
  let sent = '';
  let expected = '';
  /** Where something was written, in bytes of all that ever was: replies are taken back whole. */
  let marks: number[] = [];
  for (const step of steps) {
    const from = expected.length - model.length;
    if ('length' in step) {
      const text = step.letter.repeat(step.length);
      marks.push(expected.length);
      if (step.kind === 'write') buffer.ascii(text);
      else if (step.kind === 'keep') buffer.keep(Buffer.from(text));
      else buffer.render(new Letters(text));
      model += text;
      expected += text;
    } else if (step.kind === 'take') {
      const bytes = buffer.take(Math.floor(step.share * 12_000));
      sent += bytes.toString('latin1');
      model = model.slice(bytes.length);
    } else if (step.kind === 'taken') {
      buffer.taken(step.isHeld);
    } else {
      const unsent = marks.filter((mark) => mark >= from);
      const mark = unsent[Math.floor(step.share * unsent.length)] ?? expected.length;
      const added = step.kind === 'insert' ? '*12\r\n' : '';
      const kept = step.kind === 'insert' ? expected.slice(mark) : '';
      if (step.kind === 'rollBack') buffer.rollBack(mark - from);
      else buffer.insert(mark - from, Buffer.from(added));
      expected = expected.slice(0, mark) + added + kept;
      model = expected.slice(from);
      marks = marks.filter((each) => each < mark).concat(mark);
    }
    expect(buffer.length).to.equal(model.length);
  }
  expect(sent + taken(buffer, 5000) === expected).to.equal(true);
}
