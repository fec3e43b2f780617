import { expect } from 'chai';
import { REASONS_MAX, REFUSALS_MAX, RefusalLog } from '../../src/server/refusal-log.js';
import { TickedClock } from './linked-node.js';

class SetClock extends TickedClock {
  ms = 0;

  override nowMs(): number {
    return this.ms;
  }
}

describe('Refused peers', () => {
  let told: string[] = [];
  let clock = new SetClock();
  let log = new RefusalLog(clock, noted());

  function noted(): ConstructorParameters<typeof RefusalLog>[1] {
    const at =
      (level: string) =>
      (_: object, message: string): void => {
        told.push(`${level} ${message}`);
      };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  }

  beforeEach(() => {
    told = [];
    clock = new SetClock();
    log = new RefusalLog(clock, noted());
  });

  it('AreToldOnceForEachHostAndReason', () => {
    for (const [host, reason] of ['h1 a', 'h1 a', 'h1 b', 'h2 a', 'h1 a'].map((text) => text.split(' '))) {
      log.refused(host!, reason!, {}, reason!);
    }
    expect(told).to.deep.equal(['warn a', 'debug a', 'warn b', 'warn a', 'debug a']);
  });

  it('AreToldAgainOnceALinkWithTheirHostHasWorked', () => {
    for (const host of ['h1', 'h11']) log.refused(host, 'a', {}, host);
    log.forget('h1');
    for (const host of ['h1', 'h11']) log.refused(host, 'a', {}, host);
    expect(told).to.deep.equal(['warn h1', 'warn h11', 'warn h1', 'debug h11']);
  });

  it('OfOneHostAreToldWithAsManyReasonsAsTheBound', () => {
    for (let at = 0; at <= REASONS_MAX; at++) log.refused('h', String(at), {}, String(at));
    expect(told.filter((line) => line.startsWith('warn'))).to.have.length(REASONS_MAX);
    expect(told.at(-1)).to.equal(`debug ${String(REASONS_MAX)}`);
  });

  it('AreToldUpToTheBoundAndThenOnceThatThereAreMore', () => {
    for (let at = 0; at < REFUSALS_MAX + 3; at++) log.refused(`h${String(at)}`, 'a', {}, 'a');
    expect(told.slice(0, REFUSALS_MAX).every((line) => line === 'warn a')).to.equal(true);
    expect(told.slice(REFUSALS_MAX)).to.deep.equal([
      'warn too many peers are refused to name each one',
      'debug a',
      'debug a',
      'debug a',
    ]);
    clock.ms += 3_600_000;
    log.refused('new', 'a', {}, 'new');
    expect(told.at(-1), 'an old one gives way').to.equal('warn new');
  });
});
