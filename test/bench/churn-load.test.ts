import { expect } from 'chai';
import { ChurnLoad } from '../../bench/churn-load.js';
import { RequestBatch } from '../../bench/entries.js';

const LIVE_BYTES = 2e6;

/** What a server would hold after all these requests, and the bytes of them. */
function carryOut(requests: string): Map<string, number> {
  const sizes = new Map<string, number>();
  for (let at = 0; at < requests.length;) {
    const head = /\*([23])\r\n\$3\r\n(SET|DEL)\r\n\$16\r\n(.{16})\r\n(?:\$(\d+)\r\n)?/y;
    head.lastIndex = at;
    const [all, , command, key, bytes] = head.exec(requests)!;
    at += all.length;
    if (command === 'DEL') sizes.delete(key!);
    else {
      sizes.set(key!, Number(bytes));
      at += Number(bytes) + 2;
    }
  }
  return sizes;
}

function requestsOf(load: ChurnLoad, operations: number): string {
  const batch = new RequestBatch();
  for (let at = 0; at < operations; at++) load.next(batch);
  expect(batch.lines).to.equal(operations);
  return batch.take().toString('latin1');
}

describe('The load of a churn', () => {
  it('IsTheSameEachTime', () => {
    const [one, other] = [new ChurnLoad(LIVE_BYTES), new ChurnLoad(LIVE_BYTES)];
    expect(requestsOf(one, 3000) === requestsOf(other, 3000)).to.equal(true);
  });

  it('KnowsWhatIsAlive', () => {
    const load = new ChurnLoad(LIVE_BYTES);
    const sizes = carryOut(requestsOf(load, 5000));
    expect(load.liveKeys).to.equal(sizes.size);
    expect(load.liveBytes).to.equal([...sizes.values()].reduce((sum, bytes) => sum + bytes + 16, 0));
  });

  it('SetsEveryKeyFirstAndThenKeepsAboutAsMuchAliveAsWasAsked', () => {
    const load = new ChurnLoad(LIVE_BYTES);
    const sizes = carryOut(requestsOf(load, load.keys));
    expect(sizes.size).to.equal(load.keys);
    requestsOf(load, 10 * load.keys);
    expect(load.liveBytes).to.be.within(0.7 * LIVE_BYTES, 1.3 * LIVE_BYTES);
    expect(Math.max(...sizes.values())).to.be.at.most(256 * 1024);
    expect(Math.min(...sizes.values())).to.be.at.least(16);
  });
});
