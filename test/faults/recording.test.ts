import { expect } from 'chai';
import { Recording, faultOfFollowers } from './recording.js';
import type { FollowerRead } from './recording.js';

/** What one connection to a backup was told, one after the other. */
function reads(...values: readonly (string | null)[]): FollowerRead[] {
  return values.map((value, at) => ({ connection: 1, value, answeredAt: 100 + at }));
}

const PUTS = [
  { kind: 'put', value: 'a', calledAt: 1, answeredAt: 2 },
  { kind: 'put', value: 'b', calledAt: 3, answeredAt: 4 },
  { kind: 'put', value: 'c', calledAt: 5, answeredAt: undefined },
  { kind: 'put', value: 'd', calledAt: 5, answeredAt: undefined },
] as const;

describe('The check of what backups show', () => {
  for (const [name, told] of [
    ['AllowsWhatIsBehind', reads(null, 'a', 'a')],
    ['AllowsStatesThatAreSkippedAndOneThatWasNeverConfirmed', reads('a', 'c')],
    [
      'AllowsAnotherConnectionToBeFurtherBehind',
      [...reads('b'), { connection: 2, value: 'a', answeredAt: 200 }],
    ],
  ] as const) {
    it(name, () => expect(faultOfFollowers(PUTS, told)).to.equal(undefined));
  }

  for (const [name, told, fault] of [
    ['RefusesAValueThatNobodyPut', reads('x'), 'x was read and never put'],
    [
      'RefusesAValueBeforeItWasPut',
      [{ connection: 1, value: 'a', answeredAt: 0 }],
      'a was read and never put',
    ],
    ['RefusesOneThatWasOverwrittenBefore', reads('b', 'a'), 'a connection saw b and then a'],
    ['RefusesOneThatWasGoneAlready', reads('c', 'd', 'c'), 'a connection saw d and then c again'],
    ['RefusesThatAKeyVanishes', reads('a', null), 'a connection saw a and then null'],
  ] as const) {
    it(name, () => expect(faultOfFollowers(PUTS, told)).to.equal(fault));
  }

  it('MissesAWriteThatIsNotThereAtTheEnd', async () => {
    const recording = new Recording();
    for (const put of PUTS) recording.add('k', { ...put });
    while (recording.stamp() < 10) continue;
    await recording.readAll(() => Promise.resolve('a'));
    expect(() => recording.check()).to.throw('k is not linearizable');
  });
});
