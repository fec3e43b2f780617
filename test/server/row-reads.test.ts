import { expect } from 'chai';
import { BATCH_KEYS_MAX } from '../../src/engine.js';
import { RequestReader } from '../../src/protocol/request-reader.js';
import { ReplyBuffer } from '../../src/protocol/reply-buffer.js';
import { RequestHead } from '../../src/protocol/request-head.js';
import { RespReply } from '../../src/protocol/resp-reply.js';
import { RowOfReplies, RowReads } from '../../src/server/row-reads.js';
import { FakeEngine } from '../commands/fake-engine.js';
import { bytes, encodeArray, grammarWith, text } from '../protocol/reading.js';

type IsAt = (this: RequestHead, view: DataView, from: number) => boolean;

/** How many requests were looked at meanwhile. */
function looksDuring(work: () => void): number {
  const isAt: IsAt = Reflect.get(RequestHead.prototype, 'isAt');
  let looks = 0;
  const counting: IsAt = function (view, from) {
    looks++;
    return isAt.call(this, view, from);
  };
  Reflect.set(RequestHead.prototype, 'isAt', counting);
  try {
    work();
  } finally {
    Reflect.set(RequestHead.prototype, 'isAt', isAt);
  }
  return looks;
}

describe('Reads that were kept', () => {
  const { limits } = grammarWith();
  const names = Array.from({ length: BATCH_KEYS_MAX }, (_, at) => `k${String(at)}`);

  it('AreLookedAtTwiceAndNotMoreWhereEachIsAnsweredByItself', () => {
    const reads = new RowReads(limits);
    const reader = new RequestReader(grammarWith());
    reader.feed(bytes(names.map((name) => encodeArray('GET', name)).join('')));
    const kept = reads.keep(reader, BATCH_KEYS_MAX)!;
    // The engine answers none of them together.
    const engine = new FakeEngine();
    const row = new RowOfReplies(new RespReply(new ReplyBuffer()), 10, () => 1000);
    const taken: string[] = [];
    const looks = looksDuring(() => {
      while (kept.unread.at < kept.unread.bytes.length) {
        reads.answerKept(kept, engine, row);
        taken.push(text(reads.takeAlone(kept).words[1]!));
      }
    });
    expect(taken).to.deep.equal(names);
    expect(looks).to.equal(2 * BATCH_KEYS_MAX);
  });

  it('AreNoMoreThanThereMayBe', () => {
    const reads = new RowReads(limits);
    const reader = new RequestReader(grammarWith());
    reader.feed(bytes(encodeArray('GET', 'k').repeat(9)));
    expect(reads.keep(reader, 5)?.requests).to.equal(5);
    expect(reads.keep(reader, 5)?.requests).to.equal(4);
    expect(reads.keep(reader, 5)).to.equal(undefined);
  });
});
