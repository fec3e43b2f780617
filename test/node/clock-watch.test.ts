import { expect } from 'chai';
import { CLOCKS_APART_MS, ClockWatch } from '../../src/node/clock-watch.js';
import { HeldClock } from './engine-fixture.js';

const SPAN_MS = 3000;

function watched(): { clock: HeldClock; watch: ClockWatch } {
  const clock = new HeldClock();
  clock.pass(1000);
  return { clock, watch: new ClockWatch(clock, SPAN_MS) };
}

describe('The two clocks of a machine', () => {
  it('AreTrustedWhileTheyGoTogether', () => {
    const { clock, watch } = watched();
    for (let round = 0; round < 20; round++) {
      clock.pass(SPAN_MS / 2);
      expect(watch.trustedFromMs()).to.equal(-Infinity);
    }
  });

  it('AreTrustedUpToTheBoundAndNotBeyond', () => {
    for (const sign of [1, -1]) {
      const { clock, watch } = watched();
      clock.wallAheadMs += sign * CLOCKS_APART_MS;
      expect(watch.trustedFromMs()).to.equal(-Infinity);
      clock.wallAheadMs += sign;
      expect(watch.trustedFromMs()).to.equal(clock.nowMs());
    }
  });

  it('AreTrustedFromAJumpOnHoweverFarItWas', () => {
    const { clock, watch } = watched();
    const jumpsMs = [3_600_000, -3_600_000, CLOCKS_APART_MS + 1];
    for (const jumpMs of jumpsMs) {
      clock.pass(100);
      clock.wallAheadMs += jumpMs;
      const atMs = clock.nowMs();
      expect(watch.trustedFromMs()).to.equal(atMs);
      clock.pass(10);
      expect(watch.trustedFromMs()).to.equal(atMs);
    }
  });

  it('AreNoticedToHavePartedHoweverLongNobodyAsked', () => {
    const { clock, watch } = watched();
    clock.pass(100 * SPAN_MS);
    // The machine was suspended: its wall clock went on.
    clock.wallAheadMs += 2000;
    expect(watch.trustedFromMs()).to.equal(clock.nowMs());
  });

  it('MayBeSlewedSlowlyForEver', () => {
    const { clock, watch } = watched();
    for (let round = 0; round < 100; round++) {
      clock.pass(SPAN_MS + 1);
      clock.wallAheadMs += CLOCKS_APART_MS - 1;
      expect(watch.trustedFromMs()).to.equal(-Infinity);
    }
  });
});
