import { expect } from 'chai';
import fc from 'fast-check';
import { ReplyBuffer } from '../../src/protocol/reply-buffer.js';

function held(buffer: ReplyBuffer): string {
  return Buffer.concat(buffer.peek()).toString('latin1');
}

describe('The buffer of replies', () => {
  it('LeavesBytesAloneThatSomebodyStillHolds', () => {
    const buffer = new ReplyBuffer();
    buffer.ascii('first');
    const [first] = buffer.peek();
    buffer.taken(true);
    buffer.ascii('other');
    expect(first?.toString()).to.equal('first');
    expect(held(buffer)).to.equal('other');
  });

  it('BeginsAnewOnceItsBytesWereTaken', () => {
    for (const length of [1, 5_000_000]) {
      const buffer = new ReplyBuffer();
      buffer.copy(Buffer.alloc(length, 'v'));
      expect(buffer.length).to.equal(length);
      buffer.taken(false);
      expect(buffer.length).to.equal(0);
      buffer.ascii('OK');
      expect(held(buffer)).to.equal('OK');
    }
  });

  it('LetsGoOfTheRoomThatOneLargeReplyTook', () => {
    const buffer = new ReplyBuffer();
    buffer.copy(Buffer.alloc(5_000_000, 'v'));
    buffer.taken(false);
    buffer.ascii('OK');
    expect(buffer.room.buffer.byteLength).to.be.below(1_000_000);
  });

  it('NeverMovesWhatWasWrittenToMakeRoom', () => {
    const buffer = new ReplyBuffer();
    const value = Buffer.alloc(1000, 'v');
    for (let at = 0; at < 2000; at++) buffer.copy(value);
    expect(buffer.length).to.equal(2_000_000);
    const pieces = buffer.peek();
    expect(pieces.length).to.be.above(5);
    for (const piece of pieces) expect(piece.length).to.be.at.most(256 * 1024);
  });

  it('HoldsWhatAPlainStringWouldHoldWhateverIsDoneToIt', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('write' as const), length: fc.nat({ max: 9000 }), letter: fc.nat(25) }),
        fc.record({
          kind: fc.constant('rollBack' as const),
          share: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        fc.record({
          kind: fc.constant('insert' as const),
          share: fc.double({ min: 0, max: 1, noNaN: true }),
        }),
        fc.record({ kind: fc.constant('taken' as const), isHeld: fc.boolean() }),
      ),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const buffer = new ReplyBuffer();
        let model = '';
        for (const step of all) {
          if (step.kind === 'write') {
            const text = String.fromCharCode(97 + step.letter).repeat(step.length);
            buffer.ascii(text);
            model += text;
          } else if (step.kind === 'taken') {
            buffer.taken(step.isHeld);
            model = '';
          } else {
            const mark = Math.floor(step.share * model.length);
            if (step.kind === 'rollBack') buffer.rollBack(mark);
            else buffer.insert(mark, Buffer.from('*12\r\n'));
            model =
              step.kind === 'rollBack'
                ? model.slice(0, mark)
                : `${model.slice(0, mark)}*12\r\n${model.slice(mark)}`;
          }
          expect(buffer.length).to.equal(model.length);
          expect(held(buffer) === model).to.equal(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});
