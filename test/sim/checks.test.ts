import { expect } from 'chai';
import { wholeRange } from '../../src/engine.js';
import type { Index, NodeId, Term } from '../../src/engine.js';
import { controlFrame } from '../../src/log/control.js';
import { FrameBuilder } from '../../src/log/entry.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { Checks } from './checks.js';
import { copyFrame } from './copy-message.js';
import type { Inspection } from './sim-node.js';

const EMPTY = new Map<string, string>();

function term(number: number): Term {
  return (number * 2 ** 28) as Term;
}

function put(value: string, at: Term, previous: LogEnd): Frame {
  const builder = new FrameBuilder();
  builder.append({ kind: 'put', key: wholeRange(Buffer.from('k')), value: wholeRange(Buffer.from(value)) });
  return copyFrame(builder.seal(at, (previous.index + 1) as Index, previous.checksum));
}

function open(at: Term, previous: LogEnd, lossAfter?: LogEnd): Frame {
  const primary = 'p' as NodeId;
  return controlFrame({ kind: 'open', primary, configuration: undefined, lossAfter }, at, previous);
}

function inspection(given: Partial<Inspection>): Inspection {
  const index = 0 as Index;
  const last = EMPTY_LOG;
  return {
    role: 'backup',
    service: 'following',
    term: term(1),
    commit: index,
    applied: index,
    last,
    ...given,
  };
}

function serving(at: Term): Inspection {
  return inspection({ role: 'primary', service: 'serving', term: at });
}

function committed(index: number, at = term(1)): Inspection {
  return inspection({ commit: index as Index, term: at });
}

/** What the last of some steps was refused with. */
function violationOf(steps: (checks: Checks) => void): string {
  const checks = new Checks();
  expect(() => {
    steps(checks);
  }).to.throw();
  return checks.violation?.message ?? '';
}

function step(checks: Checks, name: string, now: Inspection, content = EMPTY): void {
  checks.step(name, now, () => content);
}

const FIRST = open(term(1), EMPTY_LOG);
const A = put('a', term(1), endOf(FIRST));
const B = put('b', term(1), endOf(FIRST));
const SECOND = open(term(2), endOf(FIRST));

describe('the checks of the simulator', () => {
  it('RefuseTwoPrimariesOfOneTerm', () => {
    const violation = violationOf((checks) => {
      step(checks, 'n1', serving(term(1)));
      step(checks, 'n2', serving(term(1)));
    });
    expect(violation).to.match(/both serve/);
  });

  it('RefuseATermThatGoesBack', () => {
    const violation = violationOf((checks) => {
      step(checks, 'n1', inspection({ term: term(2) }));
      step(checks, 'n1', inspection({ term: term(1) }));
    });
    expect(violation).to.match(/term of n1 went back/);
  });

  it('RefuseATermThatWasToldAndIsForgottenOverARestart', () => {
    const violation = violationOf((checks) => {
      checks.sent('n1', { kind: 'heartbeat answer', term: term(2), round: 1, sentMs: 0, leaseMs: 0 });
      checks.ended('n1');
      step(checks, 'n1', inspection({ term: term(1) }));
    });
    expect(violation).to.match(/term of n1 went back/);
  });

  it('AllowATermThatNobodyWasToldToBeForgottenOverARestart', () => {
    const checks = new Checks();
    step(checks, 'n1', inspection({ term: term(2) }));
    checks.ended('n1');
    step(checks, 'n1', inspection({ term: term(1) }));
    expect(checks.violation).to.equal(undefined);
  });

  it('RefuseACommitThatGoesBack', () => {
    const violation = violationOf((checks) => {
      checks.watcher('n1').appending([FIRST]);
      step(checks, 'n1', committed(1));
      step(checks, 'n1', committed(0));
    });
    expect(violation).to.match(/commit of n1 went back/);
  });

  it('RefuseOtherBytesAtAPosition', () => {
    const violation = violationOf((checks) => {
      checks.watcher('n1').appending([FIRST, A]);
      checks.watcher('n2').appending([FIRST, B]);
    });
    expect(violation).to.match(/other bytes at entry 2/);
  });

  it('AllowOtherBytesAfterAFullDiskTookNothing', () => {
    const checks = new Checks();
    checks.watcher('n1').appending([FIRST]);
    checks.watcher('n1').appending([A]);
    checks.watcher('n1').notAppended([A]);
    checks.watcher('n1').appending([B]);
    expect(checks.violation).to.equal(undefined);
  });

  it('RefuseOtherBytesAfterAFullDiskWhenTheFirstWereSent', () => {
    const violation = violationOf((checks) => {
      checks.watcher('n1').appending([FIRST, A]);
      checks.sent('n1', { kind: 'supply', term: term(1), previous: undefined, frames: [A] });
      checks.watcher('n1').notAppended([A]);
      checks.watcher('n1').appending([B]);
    });
    expect(violation).to.match(/other bytes at entry 2/);
  });

  it('RefuseAFrameThatDoesNotFollow', () => {
    const violation = violationOf((checks) => {
      checks.watcher('n1').appending([FIRST, A]);
      checks.watcher('n1').appending([put('c', term(1), { ...endOf(A), checksum: 7 })]);
    });
    expect(violation).to.match(/does not follow/);
  });

  it('RefuseTwoCommittedEntriesAtOneIndex', () => {
    const violation = violationOf((checks) => {
      checks.watcher('n1').appending([FIRST, A]);
      checks.watcher('n2').appending([FIRST, SECOND]);
      step(checks, 'n1', committed(2));
      step(checks, 'n2', committed(2, term(2)));
    });
    expect(violation).to.match(/n2 has entry 2 of term 2 .* and it was entry 2 of term 1/);
  });

  it('RefuseAPrimaryThatLacksAnAcknowledgedWrite', () => {
    const violation = violationOf((checks) => {
      checks.watcher('n1').appending([FIRST, A]);
      checks.watcher('n2').appending([FIRST]);
      checks.acknowledged('n1', 'a');
      step(checks, 'n2', serving(term(2)));
    });
    expect(violation).to.match(/n2 serves in term 2 .* without entry 2/);
  });

  it('ExcuseALossThatAnOperatorAcceptedAndNoMore', () => {
    const lossy = open(term(2), endOf(FIRST), endOf(FIRST));
    const checks = new Checks();
    checks.watcher('n1').appending([FIRST, A]);
    checks.watcher('n2').appending([FIRST, lossy]);
    checks.acknowledged('n1', 'a');
    step(checks, 'n2', serving(term(2)));
    checks.watcher('n1').truncating(endOf(FIRST));
    expect(checks.violation).to.equal(undefined);
    step(checks, 'n2', { ...serving(term(2)), commit: 2 as Index });
    expect(() => {
      checks.watcher('n2').truncating(EMPTY_LOG);
    }).to.throw(/truncates/);
  });

  it('RefuseToTruncateWhatIsCommitted', () => {
    const violation = violationOf((checks) => {
      checks.watcher('n1').appending([FIRST, A]);
      step(checks, 'n1', committed(2));
      checks.watcher('n1').truncating(endOf(FIRST));
    });
    expect(violation).to.match(/truncates entry 2/);
  });

  it('RefuseASnapshotOfAnotherPast', () => {
    const violation = violationOf((checks) => {
      checks.watcher('n1').appending([FIRST, A]);
      step(checks, 'n1', committed(2));
      checks.watcher('n2').replacing({ ...endOf(A), checksum: 7 });
    });
    expect(violation).to.match(/nobody committed/);
  });

  it('RefuseTwoStatesAtOnePosition', () => {
    const violation = violationOf((checks) => {
      const now = { ...committed(2), applied: 2 as Index };
      checks.watcher('n1').appending([FIRST, A]);
      checks.watcher('n2').appending([FIRST, A]);
      step(checks, 'n1', now, new Map([['k', 'a']]));
      step(checks, 'n2', now, new Map([['k', 'b']]));
    });
    expect(violation).to.match(/state of n2 at 2/);
  });

  it('RefuseToApplyWhatIsNotCommitted', () => {
    const violation = violationOf((checks) => {
      checks.watcher('n1').appending([FIRST]);
      step(checks, 'n1', { ...committed(0), applied: 1 as Index });
    });
    expect(violation).to.match(/applied 1 behind its commit/);
  });

  it('KnowWhereAValueAndADeleteStand', () => {
    const checks = new Checks();
    const builder = new FrameBuilder();
    builder.append({ kind: 'delete', keys: ['k', '~1'].map((key) => wholeRange(Buffer.from(key))) });
    const deleted = builder.seal(term(1), 3 as Index, A.checksum);
    checks.watcher('n1').appending([FIRST, A, deleted]);
    expect(checks.placeOf('k', 'a', 0)).to.equal(2);
    expect(checks.placeOf('k', null, 0)).to.equal(0);
    expect(checks.placeOf('k', null, 2)).to.equal(3);
    expect(checks.placeOf('k', null, 4)).to.equal(undefined);
    expect(checks.placeOf('k', 'nowhere', 0)).to.equal(undefined);
  });
});
