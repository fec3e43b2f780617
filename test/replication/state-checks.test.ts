import { expect } from 'chai';
import type { ClusterId, Index, NodeId, Term } from '../../src/engine.js';
import { isMark } from '../../src/log/control.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { begin, step } from '../../src/replication/core.js';
import { takeOffice } from '../../src/replication/leading.js';
import { memberStatuses } from '../../src/replication/member-status.js';
import type { Message } from '../../src/replication/message.js';
import { JUDGED_AFTER_MS, REPORTS_MAX, judgeStates, withReport } from '../../src/replication/state-checks.js';
import type { StateReport } from '../../src/replication/state-checks.js';
import { adviceOf, readObjection, serviceOf, writeObjection } from '../../src/replication/standing.js';
import { DEFAULT_TIMING } from '../../src/replication/timing.js';
import type { CommandId, Effect, Input, LinkId, ReplicaState } from '../../src/replication/state.js';
import { chain } from '../node/frames.js';

const TERM = 4 as Term;
const [A, B, C] = ['A' as NodeId, 'B' as NodeId, 'C' as NodeId];
const MARK: LogEnd = { term: 4 as Term, index: 3 as Index, checksum: 33 };

describe('The judgement of states', () => {
  type Case = readonly [what: string, states: string, members: string, awaited: string, verdict: unknown];
  const wrong = (right: string, nodes: string, isCertain: boolean): object => {
    return { kind: 'different', right, wrong: Array.from(nodes), isCertain };
  };
  // `Ax` says that A has the state x; A is the primary.
  const cases: readonly Case[] = [
    ['nobody but the primary', 'Ax', 'AB', 'B', { kind: 'equal' }],
    ['nobody', '', 'AB', 'AB', { kind: 'equal' }],
    ['the same of all', 'Ax Bx Cx', 'ABC', '', { kind: 'equal' }],
    ['a pair', 'Ax By', 'AB', '', wrong('x', 'B', false)],
    ['a backup of three', 'Ax Bx Cy', 'ABC', '', wrong('x', 'C', true)],
    ['a backup of three, before the other one has reported', 'Ax By', 'ABC', 'C', { kind: 'undecided' }],
    ['a backup of three, while the other one is away', 'Ax By', 'ABC', '', wrong('x', 'B', false)],
    ['the primary of three', 'Ax By Cy', 'ABC', '', wrong('y', 'A', true)],
    ['the primary and a backup that are each alone', 'Ax By Cz', 'ABC', '', wrong('x', 'BC', false)],
    ['two backups, while the primary wrote no snapshot', 'Bx Cy', 'ABC', 'A', { kind: 'undecided' }],
    ['two of five, and two that may agree with either', 'Ax By', 'ABCDE', 'CDE', { kind: 'undecided' }],
    ['halves of four', 'Ax Bx Cy Dy', 'ABCD', '', wrong('x', 'CD', false)],
    ['halves of four, no matter who is awaited', 'Ax Bx Cy Dy', 'ABCD', 'ABCD', wrong('x', 'CD', false)],
    ['a learner, which has no say', 'Ax By', 'A', '', wrong('x', 'B', true)],
    ['learners against a member', 'Ax By Cy', 'A', '', wrong('x', 'BC', true)],
    ['a learner beside a pair', 'Ax By Cy', 'AB', '', wrong('x', 'BC', false)],
  ];
  for (const [what, states, members, awaited, verdict] of cases) {
    it(`Of ${what}`, () => {
      const pairs = states.split(' ').filter((word) => word !== '');
      const checksums = new Map(pairs.map((word) => [word[0] as NodeId, word.slice(1)]));
      const nodes = (names: string): NodeId[] => Array.from(names) as NodeId[];
      const known = { primary: A, checksums, members: nodes(members), awaited: nodes(awaited) };
      expect(judgeStates(known)).to.deep.equal(verdict);
    });
  }
});

describe('What is remembered of states', () => {
  it('IsBoundedAndOneForEachPosition', () => {
    let reports: StateReport[] = [];
    for (let index = 1; index <= REPORTS_MAX + 3; index++) {
      reports = withReport(reports, { end: { ...MARK, index: index as Index }, checksum: 'old' });
    }
    expect(reports.map(({ end }) => end.index)).to.deep.equal([4, 5, 6, 7, 8, 9, 10, 11]);
    const newest = { end: { ...MARK, index: 6 as Index }, checksum: 'new' };
    reports = withReport(reports, newest);
    expect(reports).to.have.lengthOf(REPORTS_MAX);
    expect(reports.filter(({ end }) => end.index === 6)).to.deep.equal([newest]);
  });
});

/** A core with links to the others, and all that came of its steps. */
class Core {
  readonly effects: Effect[] = [];
  readonly state: ReplicaState;
  nowMs = 100_000;

  constructor(self: NodeId, members: readonly NodeId[], frames: readonly Frame[] = chain(3)) {
    const last = endOf(frames.at(-1)!);
    const peers = members.map((node) => ({ node, address: node }));
    this.state = begin({
      self,
      cluster: 'c' as ClusterId,
      fsync: 'always',
      role: 'backup',
      term: TERM,
      vote: undefined,
      leftOutAt: undefined,
      lastPrimary: undefined,
      configurations: {
        committed: {
          members: peers,
          learners: [],
          acks: 'majority',
          failover: 'manual',
          position: EMPTY_LOG,
        },
        open: [],
      },
      last,
      spans: [{ term: last.term, firstIndex: 1 as Index, isLossy: false }],
      commit: 0 as Index,
      nowMs: this.nowMs,
      address: () => self,
    });
    for (const node of members.filter((member) => member !== self)) {
      const link = { id: linkTo(node), node, address: node, cluster: 'c' as ClusterId } as const;
      this.input({ kind: 'link up', link: { ...link, isOutgoing: true, fsync: 'always' } });
    }
  }

  input(input: Input): void {
    this.effects.push(...step(this.state, input, this.nowMs, 0.5));
  }

  hear(node: NodeId, message: Message): void {
    this.input({ kind: 'message', link: linkTo(node), message });
  }

  sum(end: LogEnd, checksum: string): void {
    this.input({ kind: 'state summed', report: { end, checksum } });
  }

  pass(durationMs: number): void {
    this.nowMs += durationMs;
    this.input({ kind: 'tick' });
  }

  sent(kind: Message['kind']): { to: LinkId; message: Message }[] {
    return this.effects.flatMap((effect) =>
      effect.kind === 'send' && effect.message.kind === kind
        ? [{ to: effect.link, message: effect.message }]
        : [],
    );
  }

  get errors(): string[] {
    return this.effects.flatMap((effect) =>
      effect.kind === 'event' && effect.level === 'error' ? [effect.message] : [],
    );
  }

  get persisted(): (string | undefined)[] {
    return this.effects.flatMap((effect) => (effect.kind === 'persist' ? [effect.state.divergence] : []));
  }

  memberState(node: NodeId): string | undefined {
    const all = memberStatuses(this.state, this.nowMs, () => undefined);
    return all.find((member) => member.node === node)?.state;
  }
}

function linkTo(node: NodeId): LinkId {
  return node.charCodeAt(0) as LinkId;
}

/** A primary that serves, and what its last entry is. */
function primaryOf(members: readonly NodeId[]): { core: Core; mark: LogEnd } {
  const core = new Core(A, members);
  const effects: Effect[] = [];
  const opening = [{ share: 'majority', members }] as const;
  const grant = { kind: 'granted', longest: A, members: undefined, opening, isLossy: false } as const;
  takeOffice({ state: core.state, nowMs: core.nowMs, random: 0.5, effects }, grant, undefined, new Map());
  core.effects.push(...effects);
  const { last } = core.state;
  core.input({ kind: 'durable', index: last.index });
  const probes = core
    .sent('probe')
    .map(({ to, message }) => ({ to, probe: 'probe' in message ? message.probe : 0 }));
  for (const node of members.slice(1)) {
    const probe = probes.findLast(({ to }) => to === linkTo(node))?.probe ?? 0;
    const { index } = last;
    core.hear(node, {
      ...{ kind: 'probe answer', term: TERM, probe, matched: index, durable: index },
      wantsSnapshot: false,
    });
  }
  expect(serviceOf(core.state)).to.equal('serving');
  core.effects.length = 0;
  return { core, mark: last };
}

function report(end: LogEnd, checksum: string): Message {
  return { kind: 'state checksum', term: TERM, end, checksum };
}

describe('A primary that compares states', () => {
  it('RaisesAnAlarmAndTellsTheBackupOfAPairUntilItIsRemoved', () => {
    const { core, mark } = primaryOf([A, B]);
    core.hear(B, report(mark, 'y'));
    expect(core.errors).to.deep.equal([]);
    core.sum(mark, 'x');
    expect(core.errors).to.have.lengthOf(1);
    expect(core.errors[0]).to.include('nobody can know which is wrong');
    const differs = { kind: 'state differs', term: TERM, end: mark, right: 'x', isCertain: false };
    expect(core.sent('state differs')).to.deep.equal([{ to: linkTo(B), message: differs }]);
    expect(core.memberState(B)).to.equal('differs');
    expect(serviceOf(core.state)).to.equal('serving');
    expect(adviceOf(core.state, core.nowMs)).to.match(
      /^not applied, too few members are counted: the state of B at /,
    );
    expect(writeObjection(core.state, core.nowMs, undefined)?.code).to.equal('NO_QUORUM');
    for (let second = 2; second <= 4; second++) {
      core.pass(DEFAULT_TIMING.heartbeatMs);
      expect(core.sent('state differs')).to.have.lengthOf(second);
    }
    core.hear(B, report(mark, 'y'));
    expect(core.errors, 'said once').to.have.lengthOf(1);
  });

  it('TellsWhoeverDiffersFromTwoOthersThatItIsWrong', () => {
    const { core, mark } = primaryOf([A, B, C]);
    core.sum(mark, 'x');
    core.hear(C, report(mark, 'y'));
    expect(core.sent('state differs'), 'B may decide it').to.deep.equal([]);
    core.hear(B, report(mark, 'x'));
    const differs = { kind: 'state differs', term: TERM, end: mark, right: 'x', isCertain: true };
    expect(core.sent('state differs')).to.deep.equal([{ to: linkTo(C), message: differs }]);
    expect([B, C].map((node) => core.memberState(node))).to.deep.equal(['member', 'differs']);
    expect(writeObjection(core.state, core.nowMs, undefined)).to.equal(undefined);
  });

  it('HaltsWhenItIsTheOddOne', () => {
    const { core, mark } = primaryOf([A, B, C]);
    core.sum(mark, 'x');
    core.hear(B, report(mark, 'y'));
    expect(serviceOf(core.state)).to.equal('serving');
    core.hear(C, report(mark, 'y'));
    expect(serviceOf(core.state)).to.equal('diverged');
    expect(core.state.office.kind).to.equal('backup');
    expect(core.errors.at(-1)).to.match(
      /^this node answers nothing more: .* the primary, .* promote one of the others/,
    );
    expect(core.persisted.at(-1)).to.equal(core.state.divergence);
    expect(readObjection(core.state, undefined)?.code).to.equal('DIVERGED');
    expect(core.effects.some(({ kind }) => kind === 'office')).to.equal(true);
    core.effects.length = 0;
    core.pass(60_000);
    expect(core.effects).to.deep.equal([]);
  });

  it('AnswersTheOperatorWhomItLeavesInTheMiddleOfSomething', () => {
    const { core, mark } = primaryOf([A, B, C]);
    const command = 1 as CommandId;
    core.input({
      kind: 'command',
      command,
      change: { kind: 'promote', othersAreDown: true, acceptDataLoss: false },
    });
    core.sum(mark, 'x');
    core.hear(B, report(mark, 'y'));
    core.hear(C, report(mark, 'y'));
    const answers = core.effects.flatMap((effect) => (effect.kind === 'answer' ? [effect.outcome] : []));
    expect(answers.map((outcome) => ('code' in outcome ? outcome.code : 'done'))).to.deep.equal(['DIVERGED']);
  });

  it('WaitsForWhoeverMayDecideItAndNotForEver', () => {
    const { core, mark } = primaryOf([A, B, C]);
    core.sum(mark, 'x');
    core.hear(B, report(mark, 'y'));
    for (let second = 1; second * 1000 < JUDGED_AFTER_MS; second++) {
      core.hear(C, { kind: 'heartbeat answer', term: TERM, round: 0, sentMs: 0, leaseMs: 0 });
      core.pass(1000);
    }
    expect(core.sent('state differs')).to.deep.equal([]);
    core.pass(1000);
    expect(core.sent('state differs')).to.have.lengthOf(1);
    expect(core.memberState(B)).to.equal('differs');
  });

  it('SaysSoWhenBackupsDifferAtAPositionOfWhichItHasNoStateItself', () => {
    const { core, mark } = primaryOf([A, B, C]);
    core.hear(B, report(mark, 'x'));
    core.hear(C, report(mark, 'y'));
    for (let waitedMs = 0; waitedMs < 2 * JUDGED_AFTER_MS; waitedMs += 1000) core.pass(1000);
    expect(core.errors).to.have.lengthOf(1);
    expect(core.errors[0]).to.include('use SNAPSHOT here');
    expect(serviceOf(core.state)).to.equal('serving');
    expect(core.sent('state differs')).to.deep.equal([]);
  });

  it('DoesNotWaitForWhoeverIsSilent', () => {
    const { core, mark } = primaryOf([A, B, C]);
    core.input({ kind: 'link down', link: linkTo(C) });
    core.sum(mark, 'x');
    core.hear(B, report(mark, 'y'));
    expect(core.memberState(B)).to.equal('differs');
  });

  it('ComparesNothingOfAnotherPositionOrAnotherLog', () => {
    const { core, mark } = primaryOf([A, B]);
    core.sum(mark, 'x');
    core.hear(B, report({ ...mark, index: (mark.index - 1) as Index }, 'y'));
    core.hear(B, report({ ...mark, checksum: mark.checksum + 1 }, 'y'));
    core.hear(B, report({ ...mark, index: 1e9 as Index }, 'y'));
    core.hear(B, { ...report(mark, 'y'), term: (TERM - 1) as Term });
    expect(core.errors).to.deep.equal([]);
    expect(core.memberState(B)).to.equal('member');
  });

  it('TakesTheAlarmBackOnceTheStatesAreTheSameAgain', () => {
    const { core, mark } = primaryOf([A, B, C]);
    core.sum(mark, 'x');
    core.hear(B, report(mark, 'x'));
    core.hear(C, report(mark, 'y'));
    expect(core.memberState(C)).to.equal('differs');
    // It was not reached, and has started again with what its disk has.
    core.input({ kind: 'mark' });
    const next = core.state.last;
    core.sum(next, 'z');
    core.hear(C, report(next, 'z'));
    expect(core.memberState(C)).to.equal('member');
    expect(adviceOf(core.state, core.nowMs)).to.equal(undefined);
    // What is said late of the position before changes nothing.
    core.hear(B, report(mark, 'x'));
    expect(core.errors).to.have.lengthOf(1);
  });

  it('ForgetsWhoeverIsRemoved', () => {
    const { core, mark } = primaryOf([A, B, C]);
    core.sum(mark, 'x');
    core.hear(B, report(mark, 'x'));
    core.hear(C, report(mark, 'y'));
    const { office } = core.state;
    if (office.kind !== 'primary') throw new Error('the office is lost');
    office.progress.delete(C);
    core.pass(100);
    expect([...office.checks.differing.keys()]).to.deep.equal([]);
    expect([...office.checks.reports.keys()]).to.deep.equal([B]);
  });
});

describe('The mark of a primary', () => {
  it('IsAnEntryLikeAWriteThatIsMadeWhereAWriteWouldBeTaken', () => {
    const { core } = primaryOf([A, B, C]);
    core.input({ kind: 'mark' });
    const marks = core.effects.flatMap((effect) => (effect.kind === 'append' ? effect.frames : []));
    expect(marks.map(isMark)).to.deep.equal([true]);
    core.input({ kind: 'durable', index: core.state.last.index });
    const { index } = core.state.last;
    core.hear(B, { kind: 'append answer', term: TERM, matched: index, durable: index, sentMs: 1 });
    expect(core.state.commit).to.equal(index);
  });

  it('IsNotMadeByABackupNorWhileTooFewAreReachable', () => {
    const backup = new Core(B, [A, B]);
    backup.input({ kind: 'mark' });
    expect(backup.state.last.index).to.equal(3);
    const { core } = primaryOf([A, B]);
    const { index } = core.state.last;
    core.input({ kind: 'link down', link: linkTo(B) });
    core.pass(DEFAULT_TIMING.silentMs + 1000);
    core.input({ kind: 'mark' });
    expect(core.state.last.index).to.equal(index);
  });

  it('IsNotMadeWhileTheOfficeIsHandedOver', () => {
    const { core } = primaryOf([A, B]);
    core.hear(B, { kind: 'hand over', term: TERM, attempt: 1 });
    const { index } = core.state.last;
    core.input({ kind: 'mark' });
    expect(core.state.last.index).to.equal(index);
  });
});

describe('A backup whose state is compared', () => {
  function backup(): Core {
    const core = new Core(B, [A, B]);
    const { last } = core.state;
    core.hear(A, {
      ...{ kind: 'heartbeat', term: TERM, last, commit: 0 as Index },
      ...{ round: 1, isServing: true, isMember: true, leaseMs: 0, echoMs: undefined },
    });
    return core;
  }

  const differs = { kind: 'state differs', term: TERM, end: MARK, right: 'x', isCertain: true } as const;

  it('ReportsItToItsPrimary', () => {
    const core = backup();
    core.sum(MARK, 'y');
    expect(core.sent('state checksum')).to.deep.equal([{ to: linkTo(A), message: report(MARK, 'y') }]);
  });

  it('StopsServingWhenItIsToldThatItDiffersAndAlsoAfterARestart', () => {
    const core = backup();
    core.sum(MARK, 'y');
    core.hear(A, differs);
    expect(serviceOf(core.state)).to.equal('diverged');
    expect(core.state.divergence).to.include('the data of this node is wrong');
    expect(core.persisted.at(-1)).to.equal(core.state.divergence);
    expect(core.errors).to.have.lengthOf(1);
    const { divergence } = core.state;
    const again = begin({ ...core.state, configurations: core.state.configurations, nowMs: 0, divergence });
    expect(serviceOf(again)).to.equal('diverged');
    expect(again.wantsPlace).to.equal(false);
    expect(step(again, { kind: 'tick' }, 100_000, 0.5)).to.deep.equal([]);
  });

  const passedOver: readonly [string, (core: Core) => void][] = [
    [
      'OfAPositionThatItDidNotReport',
      (core) => core.hear(A, { ...differs, end: { ...MARK, index: 2 as Index } }),
    ],
    ['OfAnotherLog', (core) => core.hear(A, { ...differs, end: { ...MARK, checksum: 1 } })],
    ['OfAStateThatItHas', (core) => core.hear(A, { ...differs, right: 'y' })],
    ['OfAnotherTerm', (core) => core.hear(A, { ...differs, term: (TERM + 1) as Term })],
    [
      'OfAContentThatWasReplacedSince',
      (core) => {
        core.input({ kind: 'replaced', end: MARK });
        core.hear(A, differs);
      },
    ],
  ];
  for (const [what, tell] of passedOver) {
    it(`PassesOverAWord${what}`, () => {
      const core = backup();
      core.sum(MARK, 'y');
      tell(core);
      expect(serviceOf(core.state)).to.equal('following');
    });
  }

  it('PassesOverAWordOfAnybodyButItsPrimary', () => {
    const core = new Core(B, [A, B, C]);
    core.sum(MARK, 'y');
    core.hear(C, differs);
    expect(serviceOf(core.state)).to.equal('following');
  });
});
