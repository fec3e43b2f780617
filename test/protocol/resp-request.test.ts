import { expect } from 'chai';
import fc from 'fast-check';
import { RespReplyReader } from '../../src/protocol/resp-reply-reader.js';
import { encodeRespRequest } from '../../src/protocol/resp-request.js';
import { anyBytes } from './streams.js';

describe('RESP request', () => {
  it('IsAnArrayOfBulkStrings', () => {
    const words = [Buffer.from('PUT'), Buffer.from('k'), Buffer.from('a\r\n\xff', 'latin1'), Buffer.alloc(0)];
    expect(encodeRespRequest(words).toString('latin1')).to.equal(
      '*4\r\n$3\r\nPUT\r\n$1\r\nk\r\n$4\r\na\r\n\xff\r\n$0\r\n\r\n',
    );
  });

  it('HoldsAnyWordsExactlyInBytesOfItsOwn', () => {
    fc.assert(
      fc.property(fc.array(anyBytes, { minLength: 1, maxLength: 12 }), (words) => {
        const copies = words.map((word) => Buffer.from(word));
        const request = encodeRespRequest(copies);
        for (const copy of copies) copy.fill(0);
        const reader = new RespReplyReader();
        reader.feed(request);
        const expected = words.map((word) => ({ kind: 'bulk' as const, bytes: word }));
        expect(reader.next()).to.deep.equal({ kind: 'array', items: expected });
        expect(reader.hasUnread).to.equal(false);
      }),
      { numRuns: 1000 },
    );
  });
});
