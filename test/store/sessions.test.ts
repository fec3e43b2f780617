import { expect } from 'chai';
import fc from 'fast-check';
import { SESSIONS_MAX, SESSION_NUMBERS_MAX } from '../../src/engine.js';
import { Sessions } from '../../src/store/sessions.js';
import { StateSum } from '../../src/store/state-sum.js';

const ID = 7;

/** What may be written under a tag, and what came of it; the answer is recorded as the applier does it. */
function write(sessions: Sessions, number: number, lowest: number, answer: number, id = ID): unknown {
  const verdict = sessions.begin(id, number, lowest);
  if (verdict === 'new') sessions.record(id, number, answer);
  return verdict;
}

function opened(): Sessions {
  const sessions = new Sessions();
  sessions.open(ID);
  return sessions;
}

function contentOf(sessions: Sessions): Map<number, string> {
  const content = new Map<number, string>();
  const walk = sessions.walk((id, lowest, answers) => content.set(id, shown(lowest, answers)));
  while (!walk.step(3, () => false));
  return content;
}

function shown(lowest: number, answers: Iterable<number>): string {
  return `${String(lowest)}: ${[...answers].join(' ')}`;
}

function checksumOf(sessions: Sessions): string {
  const sum = new StateSum();
  const walk = sessions.walk((id, lowest, answers) => sum.addSession(id, lowest, answers));
  while (!walk.step(1000, () => false));
  return sum.text;
}

describe('A session', () => {
  it('AnswersANumberThatWasAppliedAsTheFirstTime', () => {
    const sessions = opened();
    expect(write(sessions, 1, 1, 5)).to.equal('new');
    expect(write(sessions, 1, 1, 9)).to.equal(5);
    expect(write(sessions, 2, 1, 0)).to.equal('new');
    expect(write(sessions, 2, 1, 1)).to.equal(0);
  });

  it('TakesANumberThatWasNeverSeenForNewWhateverCameAfterIt', () => {
    const sessions = opened();
    for (const number of [900, 3, 1024, 2]) expect(write(sessions, number, 1, number)).to.equal('new');
    for (const number of [900, 3, 1024, 2]) expect(write(sessions, number, 1, 0)).to.equal(number);
  });

  it('ForgetsWhatIsBelowTheHighestLowestNumberAndAppliesNoneOfItAgain', () => {
    const sessions = opened();
    for (let number = 1; number <= 20; number++) write(sessions, number, 1, number);
    expect(write(sessions, 21, 15, 21)).to.equal('new');
    // A lower one comes late, and brings nothing back.
    for (let number = 1; number <= 14; number++) expect(write(sessions, number, 1, 0)).to.equal('forgotten');
    for (let number = 15; number <= 21; number++) expect(write(sessions, number, 1, 0)).to.equal(number);
  });

  it('KeepsAsManyAnswersAsTheWindowIsWideAndRefusesToKeepOneMore', () => {
    const sessions = opened();
    const last = SESSION_NUMBERS_MAX;
    for (let number = 1; number <= last; number++) write(sessions, number, 1, number);
    for (let number = 1; number <= last; number++) expect(write(sessions, number, 1, 0)).to.equal(number);
    expect(() => write(sessions, last + 1, 1, 0)).to.throw(RangeError);
    expect(write(sessions, last + 1, 2, 5)).to.equal('new');
    expect(write(sessions, 1, 1, 0)).to.equal('forgotten');
    expect(write(sessions, 2, 1, 0)).to.equal(2);
  });

  it('ThatIsNotThereAppliesNothing', () => {
    const sessions = opened();
    expect(sessions.begin(8, 1, 1)).to.equal(undefined);
    expect(sessions.expire(ID)).to.equal(true);
    expect(sessions.begin(ID, 1, 1)).to.equal(undefined);
    expect(sessions.expire(ID)).to.equal(false);
  });

  it('IsDecidedAboutANumberThatAddsNothingAnyMore', () => {
    const sessions = opened();
    write(sessions, 5, 3, 1);
    for (const [number, isDecided] of [
      [2, true],
      [4, false],
      [5, true],
      [6, false],
    ] as const) {
      expect(sessions.isDecided(ID, number), String(number)).to.equal(isDecided);
    }
    expect(sessions.isDecided(8, 1), 'no such session').to.equal(true);
  });

  it('IsTheSameAsAModelOfItInWhateverOrderNumbersCome', () => {
    const step = fc.record({
      span: fc.oneof(fc.nat(4), fc.nat(SESSION_NUMBERS_MAX - 1)),
      by: fc.oneof(fc.constant(0), fc.nat(5), fc.nat(3000)),
      back: fc.oneof(fc.constant(0), fc.nat(10)),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const sessions = opened();
        const answers = new Map<number, number>();
        let [highest, lowest] = [1, 1];
        for (const [at, { span, by, back }] of steps.entries()) {
          lowest = Math.max(1, lowest + by - back);
          const number = lowest + span;
          highest = Math.max(highest, lowest);
          const expected = number < highest ? 'forgotten' : (answers.get(number) ?? 'new');
          expect(write(sessions, number, lowest, at)).to.equal(expected);
          if (expected === 'new') answers.set(number, at);
        }
        const kept = [...answers].filter(([number]) => number >= highest);
        const last = Math.max(highest - 1, ...kept.map(([number]) => number));
        const dense = Array.from({ length: last - highest + 1 }, (_, at) => answers.get(highest + at) ?? -1);
        expect(contentOf(sessions).get(ID)).to.equal(shown(highest, dense));
      }),
    );
  });

  it('IsPutBackAsItWasSeen', () => {
    const sessions = opened();
    for (const number of [3, 900, 5]) write(sessions, number, 2, number);
    sessions.open(8);
    const copy = new Sessions();
    const walk = sessions.walk((id, lowest, answers) => copy.restore(id, lowest, answers));
    while (!walk.step(1, () => false));
    expect(contentOf(copy)).to.deep.equal(contentOf(sessions));
    expect(checksumOf(copy)).to.equal(checksumOf(sessions));
    expect(write(copy, 4, 2, 0)).to.equal('new');
    expect(write(copy, 900, 2, 0)).to.equal(900);
  });
});

describe('Sessions', () => {
  it('AreOpenedUpToTheirBoundAndAgainOnceOneHasExpired', () => {
    const sessions = new Sessions();
    for (let id = 1; id <= SESSIONS_MAX; id++) expect(sessions.open(id)).to.equal(true);
    expect(sessions.open(SESSIONS_MAX + 1)).to.equal(false);
    expect(() => sessions.restore(SESSIONS_MAX + 1, 1, new Int32Array())).to.throw(RangeError);
    sessions.expire(1);
    expect(sessions.open(SESSIONS_MAX + 1)).to.equal(true);
    expect(sessions.count).to.equal(SESSIONS_MAX);
  });

  it('AreNotOpenedTwiceUnderOneId', () => {
    const sessions = opened();
    expect(sessions.open(ID)).to.equal(false);
    expect(sessions.open(0)).to.equal(false);
    expect(sessions.count).to.equal(1);
  });

  it('AreVisitedAsTheyWereWhenTheWalkBeganEachOnce', () => {
    const anyChange = fc.record({
      kind: fc.constantFrom('open', 'expire', 'write', 'step'),
      id: fc.integer({ min: 1, max: 12 }),
    });
    fc.assert(
      fc.property(
        fc.array(anyChange, { maxLength: 40 }),
        fc.array(anyChange, { maxLength: 40 }),
        (before, during) => {
          const sessions = new Sessions();
          const next = new Map<number, number>();
          const change = ({ kind, id }: (typeof before)[number]): void => {
            if (kind === 'open' && sessions.open(id)) next.set(id, 1);
            if (kind === 'expire') sessions.expire(id);
            if (kind !== 'write') return;
            const number = next.get(id) ?? 1;
            next.set(id, number + 1);
            write(sessions, number, Math.max(1, number - 2), number, id);
          };
          before.forEach(change);
          const expected = contentOf(sessions);
          const found: [number, string][] = [];
          const walk = sessions.walk((id, lowest, answers) => found.push([id, shown(lowest, answers)]));
          for (const each of during) {
            if (each.kind === 'step') walk.step(1, () => false);
            else change(each);
          }
          while (!walk.step(1, () => true));
          expect(found).to.have.lengthOf(expected.size);
          expect(new Map(found)).to.deep.equal(expected);
          walk.end();
        },
      ),
    );
  });

  it('DifferInTheirChecksumWhereAnythingOfThemDiffers', () => {
    const make = (change: (sessions: Sessions) => void): string => {
      const sessions = opened();
      write(sessions, 1, 1, 5);
      write(sessions, 2, 1, 0);
      change(sessions);
      return checksumOf(sessions);
    };
    const sums = [
      make(() => undefined),
      make((sessions) => write(sessions, 3, 1, 0)),
      make((sessions) => write(sessions, 4, 1, 0)),
      make((sessions) => write(sessions, 2, 2, 0)),
      make((sessions) => sessions.open(8)),
      make((sessions) => sessions.expire(ID)),
      checksumOf(new Sessions()).concat(' of none'),
    ];
    expect(new Set(sums).size).to.equal(sums.length);
    // How they came to be what they are is nothing of it.
    const late = opened();
    write(late, 2, 1, 0);
    write(late, 1, 1, 5);
    late.nowMs = 1000;
    late.begin(ID, 1, 1);
    expect(checksumOf(late)).to.equal(sums[0]);
  });
});
