import { expect } from 'chai';
import { testSeed, withSeed } from '../random.js';
import type { Random } from '../random.js';
import { checkRegister } from './linearizability.js';
import type { Operation } from './linearizability.js';

const put = (value: string, calledAt: number, answeredAt?: number): Operation => ({
  kind: 'put',
  value,
  calledAt,
  answeredAt,
});
const get = (value: string | null, calledAt: number, answeredAt?: number): Operation => ({
  kind: 'get',
  value,
  calledAt,
  answeredAt,
});
const remove = (found: boolean | undefined, calledAt: number, answeredAt?: number): Operation => ({
  kind: 'delete',
  value: null,
  found,
  calledAt,
  answeredAt,
});

const GOOD: Record<string, readonly Operation[]> = {
  'of nothing': [],
  'of a read before any write': [get(null, 1, 2)],
  'of writes and reads in turn': [put('a', 1, 2), get('a', 3, 4), put('b', 5, 6), get('b', 7, 8)],
  'of a read during a write that sees the old value': [put('a', 1, 2), put('b', 3, 6), get('a', 4, 5)],
  'of a read during a write that sees the new value': [put('a', 1, 2), put('b', 3, 6), get('b', 4, 5)],
  'of two writes at once, in either order': [put('a', 1, 4), put('b', 2, 3), get('a', 5, 6)],
  'of an unanswered write that is never seen': [put('a', 1, 2), put('b', 3), get('a', 4, 5), get('a', 6, 7)],
  'of an unanswered write that is seen late': [put('a', 1, 2), put('b', 3), get('a', 4, 5), get('b', 6, 7)],
  'of an unanswered write over which another one went': [put('b', 1), put('a', 2, 3), get('a', 4, 5)],
  'of an unanswered delete that took effect': [put('a', 1, 2), remove(undefined, 3), get(null, 4, 5)],
  'of a delete of nothing': [remove(false, 1, 2), put('a', 3, 4), remove(true, 5, 6), get(null, 7, 8)],
  'of a delete that found an unanswered write which nobody read': [put('a', 1), remove(true, 2, 3)],
};

const BAD: Record<string, readonly Operation[]> = {
  'with a value from nowhere': [get('a', 1, 2)],
  'with a stale read': [put('a', 1, 2), put('b', 3, 4), get('a', 5, 6)],
  'with a lost write': [put('a', 1, 2), get(null, 3, 4)],
  'with a read of a write that was not made yet': [get('a', 1, 2), put('a', 3, 4)],
  'with reads that go back in time during a write': [
    put('a', 1, 2),
    put('b', 3, 10),
    get('b', 4, 5),
    get('a', 6, 7),
  ],
  'with an unanswered write that was read and then vanishes': [
    put('a', 1, 2),
    put('b', 3),
    get('b', 4, 5),
    get('a', 6, 7),
  ],
  'with two readers that see two writes in different orders': [
    put('a', 1, 20),
    put('b', 2, 21),
    get('a', 3, 4),
    get('b', 5, 6),
    get('a', 7, 8),
  ],
  'with a delete that is undone': [put('a', 1, 2), remove(true, 3, 4), get('a', 5, 6)],
  'with a delete that misses what was there': [put('a', 1, 2), remove(false, 3, 4)],
  'with a delete that finds what was not there': [put('a', 1, 2), remove(true, 3, 4), remove(true, 5, 6)],
};

/** Tries every order of every choice of unanswered operations. */
function bruteForce(history: readonly Operation[]): boolean {
  const search = (left: readonly Operation[], value: string | null): boolean => {
    if (left.every((each) => each.answeredAt === undefined)) return true;
    const firstAnswer = Math.min(...left.map((each) => each.answeredAt ?? Infinity));
    return left.some((each) => {
      if (each.calledAt > firstAnswer) return false;
      const rest = left.filter((other) => other !== each);
      if (each.kind === 'put') return search(rest, each.value);
      if (each.kind === 'get') return each.value === value && search(rest, value);
      const fits = each.found === undefined || each.found === (value !== null);
      return fits && search(rest, null);
    });
  };
  return search(history, null);
}

function randomHistory(random: Random): Operation[] {
  const count = 1 + random.below(6);
  const times = Array.from({ length: 2 * count }, (_, at) => at);
  const take = (): number => times.splice(random.below(times.length), 1)[0]!;
  return Array.from({ length: count }, () => {
    const [calledAt, later] = [take(), take()].sort((a, b) => a - b) as [number, number];
    const answeredAt = random.next() < 0.25 ? undefined : later;
    const value = random.pick(['a', 'b']);
    const kind = random.pick(['put', 'get', 'delete'] as const);
    if (kind === 'put') return put(value, calledAt, answeredAt);
    if (kind === 'get') return get(random.pick(['a', 'b', null]), calledAt, answeredAt);
    return remove(answeredAt === undefined ? undefined : random.pick([true, false]), calledAt, answeredAt);
  });
}

describe('the check of linearizability', () => {
  for (const [name, history] of Object.entries(GOOD)) {
    it(`accepts a history ${name}`, () => {
      expect(checkRegister(history)).to.equal('linearizable');
    });
  }

  for (const [name, history] of Object.entries(BAD)) {
    it(`refuses a history ${name}`, () => {
      expect(checkRegister(history)).to.equal('not linearizable');
    });
  }

  it('agrees with trying everything, on small histories', async () => {
    await withSeed(testSeed(), (random) => {
      const verdicts = { true: 0, false: 0 };
      for (let round = 0; round < 20_000; round++) {
        const history = randomHistory(random);
        const expected = bruteForce(history);
        verdicts[expected ? 'true' : 'false']++;
        const verdict = checkRegister(history);
        expect(verdict, JSON.stringify(history)).to.equal(expected ? 'linearizable' : 'not linearizable');
      }
      expect(verdicts.true).to.be.greaterThan(1000);
      expect(verdicts.false).to.be.greaterThan(1000);
    });
  });

  it('is quick with a long history and many writes that were never answered', () => {
    const history: Operation[] = [];
    for (let round = 0; round < 2000; round++) {
      const at = 10 * round;
      history.push(put(`v${String(round)}`, at, at + 2), get(`v${String(round)}`, at + 3, at + 4));
      if (round % 20 === 0) history.push(put(`u${String(round)}`, at + 5));
    }
    expect(checkRegister(history)).to.equal('linearizable');
  });

  it('gives up at its bound of states instead of running on', () => {
    // Any of the deletes may have taken effect at any time; none explains the last read.
    const history: Operation[] = Array.from({ length: 30 }, (_, at) => remove(undefined, at));
    for (let round = 0; round < 30; round++) {
      history.push(
        put(`v${String(round)}`, 100 + 4 * round, 101 + 4 * round),
        get(null, 102 + 4 * round, 103 + 4 * round),
      );
    }
    history.push(get('nowhere', 500, 501));
    expect(checkRegister(history, 1000)).to.equal('undecided');
  });
});
