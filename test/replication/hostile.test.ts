import { expect } from 'chai';
import type { ClusterId, Index, NodeId, Position, Term } from '../../src/engine.js';
import type { PlacedConfiguration } from '../../src/log/control.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { addToSpans } from '../../src/log/history.js';
import type { History, TermSpan } from '../../src/log/history.js';
import { termAfter, termCount } from '../../src/log/term.js';
import { step } from '../../src/replication/core.js';
import { takeOffice } from '../../src/replication/leading.js';
import type { Message } from '../../src/replication/message.js';
import { longestLeaseMs } from '../../src/replication/pace.js';
import { DEFAULT_TIMING } from '../../src/replication/timing.js';
import type { Effect, Input, LinkId, ReplicaState } from '../../src/replication/state.js';
import { frameAfter } from '../node/frames.js';
import { nodeOf as begun } from './begun.js';

const NOW_MS = 100_000;
const LINK = 1 as LinkId;
const [A, B, C] = ['A', 'B', 'C'] as unknown as readonly [NodeId, NodeId, NodeId];
const CLUSTER = 'c' as ClusterId;
const TERM_BEFORE = termAfter(0 as Term, 0.25);
const TERM = termAfter(TERM_BEFORE, 0.5);
const LATER = termAfter(TERM, 0.75);
const EVEN_LATER = termAfter(LATER, 0.5);
/** Three changes of primary a second for four days. */
const ABSURD = ((termCount(TERM) + 2 ** 20 + 1) * 2 ** 28) as Term;
const POSITION: Position = { term: TERM_BEFORE, index: 1 as Index };
const MEMBERS = [A, B, C].map((node) => ({ node, address: `${node}:1` }));
const CONFIGURATION: PlacedConfiguration = {
  members: MEMBERS,
  learners: [],
  acks: 'majority',
  failover: 'manual',
  position: POSITION,
};

/** Ten entries of an earlier term and three of this one. */
const FRAMES: readonly Frame[] = (() => {
  const frames: Frame[] = [];
  for (let end: LogEnd = EMPTY_LOG; frames.length < 13; end = endOf(frames.at(-1)!)) {
    frames.push(frameAfter(end, { term: frames.length < 10 ? TERM_BEFORE : TERM }));
  }
  return frames;
})();
const COMMIT = 12 as Index;
const LAST = endOf(FRAMES[12]!);

function spansOf(frames: readonly Frame[]): TermSpan[] {
  const spans: TermSpan[] = [];
  for (const frame of frames) addToSpans(spans, frame);
  return spans;
}

function historyOf(frames: readonly Frame[]): History {
  const { term, index } = frames.length === 0 ? EMPTY_LOG : endOf(frames.at(-1)!);
  return { spans: spansOf(frames), last: { term, index } };
}

function nodeOf(self: NodeId, vote: NodeId): ReplicaState {
  return begun({ self, vote, term: TERM, configuration: CONFIGURATION, frames: FRAMES, commit: COMMIT });
}

/** One node, and another one that it has a link to and that says what the test has it say. */
class Victim {
  readonly state: ReplicaState;
  readonly peer: NodeId;
  link = LINK;
  nowMs = NOW_MS;

  constructor(state: ReplicaState, peer: NodeId) {
    this.state = state;
    this.peer = peer;
    this.connect();
  }

  connect(): Effect[] {
    const { link: id, peer } = this;
    const link = { id, node: peer, address: `${peer}:1`, cluster: CLUSTER, fsync: 'always' } as const;
    return this.input({ kind: 'link up', link: { ...link, isOutgoing: false } });
  }

  hear(message: Message): Effect[] {
    return this.input({ kind: 'message', link: this.link, message });
  }

  /** The link is down, and up again. */
  relink(): Effect[] {
    this.input({ kind: 'link down', link: this.link });
    this.link = (this.link + 1) as LinkId;
    return this.connect();
  }

  input(input: Input): Effect[] {
    return step(this.state, input, this.nowMs, 0.5);
  }
}

/** A backup that follows A in this term, and has a link to somebody. */
function backupWithLinkTo(peer: NodeId): Victim {
  const victim = new Victim(nodeOf(B, A), peer);
  const { office } = victim.state;
  if (office.kind !== 'backup') throw new Error('it is a backup');
  office.primary = { node: A, address: 'A:1' };
  office.heardMs = victim.nowMs;
  office.verified = COMMIT;
  return victim;
}

/** A primary that serves, and has a link to its backup B. */
function primary(): Victim {
  const state = nodeOf(A, A);
  const effects: Effect[] = [];
  const opening = [{ share: 'majority', members: [A] }] as const;
  const grant = { kind: 'granted', longest: A, members: undefined, opening, isLossy: false } as const;
  takeOffice({ state, nowMs: NOW_MS, random: 0.5, effects }, grant, undefined, new Map());
  const victim = new Victim(state, B);
  victim.input({ kind: 'durable', index: state.last.index });
  if (state.office.kind !== 'primary' || !state.office.isServing) throw new Error('it serves');
  return victim;
}

const STANDING = { isServing: true, isMember: true } as const;

function heartbeat(fields: { term?: Term; last?: LogEnd; commit?: number }): Message {
  const { term = TERM, last = LAST, commit = last.index } = fields;
  const common = { round: 1, ...STANDING, leaseMs: 0, echoMs: undefined };
  return { kind: 'heartbeat', term, last, commit: commit as Index, ...common };
}

const ACKNOWLEDGED = { kind: 'append answer', sentMs: 1 } as const;

function append(previous: LogEnd, frames: readonly Frame[], term = TERM): Message {
  return { kind: 'append', term, previous, frames, commit: COMMIT, ...STANDING, echoMs: undefined };
}

function probe(history: History, term = TERM): Message {
  return { kind: 'probe', term, probe: 1, history };
}

function part(end: LogEnd, term = TERM): Message {
  const bytes = Buffer.from('{');
  const part = { configuration: CONFIGURATION, lossAccepted: false, offset: 0, bytes, isLast: false };
  return { kind: 'snapshot part', term, end, ...part };
}

function otherFrame(index: number): Frame {
  const before = FRAMES[index - 2]!;
  const { term } = FRAMES[index - 1]!;
  return frameAfter(endOf(before), { term, valueBytes: 9 });
}

const NEXT = frameAfter(LAST, { term: TERM });
const FAR = frameAfter(endOf(frameAfter(LAST, { term: TERM })), { term: TERM });
const SOLE_OTHER = [frameAfter(EMPTY_LOG, { term: LATER })];

/** What a node that is, or claims to be, the primary of B may not say. */
const TO_A_BACKUP: readonly (readonly [string, NodeId, Message])[] = [
  ['AnAbsurdTerm', C, heartbeat({ term: ABSURD, last: { ...LAST, term: ABSURD } })],
  ['AnAbsurdTermInASurvey', C, { kind: 'survey', term: ABSURD, attempt: 1 }],
  ['AnAbsurdTermInAFence', C, { kind: 'fence', term: ABSURD, attempt: 1, isHandOver: false, down: [] }],
  ['AHeartbeatOfAnEmptyLog', C, heartbeat({ term: LATER, last: EMPTY_LOG })],
  ['AProbeOfAnEmptyLog', C, probe(historyOf([]), LATER)],
  ['ACommitBehindItsOwnLog', A, heartbeat({ commit: LAST.index + 1 })],
  ['ALogOfALaterTermThanItsOwn', A, heartbeat({ last: { ...LAST, term: LATER } })],
  ['TermsThatGoBack', A, probe({ spans: [...spansOf(FRAMES)].reverse(), last: LAST })],
  [
    'TermsThatBeginBehindTheEnd',
    A,
    probe({ spans: spansOf(FRAMES), last: { term: TERM, index: 5 as Index } }),
  ],
  ['AGapInFrontOfItsFrames', A, append(LAST, [FAR])],
  ['AGapBetweenItsFrames', A, append(LAST, [NEXT, frameAfter(endOf(FAR), { term: TERM })])],
  ['AFrameThatFollowsOtherBytes', A, append({ ...LAST, checksum: LAST.checksum ^ 1 }, [NEXT])],
  ['FramesOfALaterTermThanItsOwn', A, append(LAST, [frameAfter(LAST, { term: LATER })])],
  ['OtherBytesAtTheEnd', A, append(endOf(FRAMES[11]!), [otherFrame(13)])],
  [
    'OtherBytesWhatFollowsIncluded',
    A,
    append(endOf(otherFrame(13)), [frameAfter(endOf(otherFrame(13)), { term: TERM })]),
  ],
  ['OtherBytesInAHeartbeat', A, heartbeat({ last: endOf(otherFrame(13)) })],
  [
    'ALeaseThatNoPrimaryNeeds',
    A,
    { ...heartbeat({}), leaseMs: longestLeaseMs(DEFAULT_TIMING) + 1 } as Message,
  ],
  ['ATakeOverOfItsOwnTermByAnother', C, { kind: 'take over', term: TERM }],
  ['ATakeOverOfAnAbsurdTerm', A, { kind: 'take over', term: ABSURD }],
  ['ItsOwnTermByAnother', C, heartbeat({})],
  ['FramesOfItsOwnTermByAnother', C, append(LAST, [NEXT])],
  ['ALogThatLacksWhatIsCommitted', C, probe(historyOf(FRAMES.slice(0, 11)), LATER)],
  ['ALogOfOtherTermsFromTheBeginning', C, probe(historyOf(SOLE_OTHER), LATER)],
  ['ASnapshotOfNoPosition', A, part(EMPTY_LOG)],
  ['ASnapshotOfALaterTerm', A, part({ ...LAST, index: 20 as Index, term: LATER })],
  ['ASnapshotOfAnotherPast', C, part({ term: LATER, index: 5 as Index, checksum: 1 }, LATER)],
  [
    'MembersOfALaterTerm',
    A,
    {
      kind: 'left out',
      term: TERM,
      configuration: { ...CONFIGURATION, members: [], position: { term: LATER, index: 9 as Index } },
    },
  ],
];

/** What a backup may not answer a primary. */
function toAPrimary({ state }: Victim): readonly (readonly [string, Message])[] {
  const { term, last } = state;
  const beyond = (last.index + 1) as Index;
  return [
    ['AnAcknowledgementBeyondTheLog', { ...ACKNOWLEDGED, term, matched: beyond, durable: beyond }],
    ['MoreOnItsDiskThanInItsLog', { ...ACKNOWLEDGED, term, matched: 1 as Index, durable: 2 as Index }],
    [
      'AnAnswerToAProbeBeyondTheLog',
      { kind: 'probe answer', term, probe: 1, matched: beyond, durable: 1 as Index, wantsSnapshot: false },
    ],
    [
      'AnAnswerToAHeartbeatThatWasNeverSent',
      { kind: 'heartbeat answer', term, round: 99, sentMs: 1, leaseMs: 0 },
    ],
    ['AnAbsurdTermInAnAnswer', { kind: 'heartbeat answer', term: ABSURD, round: 0, sentMs: 1, leaseMs: 0 }],
    ['ThePrimarysOwnTerm', heartbeat({ term, last })],
    ['AProbeOfThePrimarysOwnTerm', probe(historyOf(FRAMES), TERM === term ? LATER : term)],
  ];
}

/** Everything that a node knows, but what it was told to say once. */
function knowledge({ state }: Victim): unknown {
  const told = ['refused', 'contradicted', 'address', 'rules'];
  return structuredClone(Object.fromEntries(Object.entries(state).filter(([name]) => !told.includes(name))));
}

/** Closed and told once; closed and not told when it comes again; nothing else, and nothing changed. */
function expectRefused(victim: Victim, message: Message): void {
  const before = knowledge(victim);
  const effects = victim.hear(message);
  expect(effects.map(({ kind }) => kind)).to.have.members(['close link', 'event']);
  expect(knowledge(victim)).to.deep.equal(before);
  const again = victim.hear(message);
  expect(again).to.deep.equal([{ kind: 'close link', link: victim.link }]);
  expect(knowledge(victim)).to.deep.equal(before);
}

describe('A backup closes the link, tells it once and changes nothing on', () => {
  for (const [name, sender, message] of TO_A_BACKUP) {
    it(name, () => {
      expectRefused(backupWithLinkTo(sender), message);
    });
  }
});

describe('A primary closes the link, tells it once and changes nothing on', () => {
  for (const [name] of toAPrimary(primary())) {
    it(name, () => {
      const victim = primary();
      const message = toAPrimary(victim).find(([each]) => each === name)?.[1];
      expectRefused(victim, message!);
    });
  }
});

describe('A backup with nothing', () => {
  it('TakesWhatAPrimarySaysThatWasBegunWithContentOfNoTerm', () => {
    const state = begun({ self: B, term: TERM_BEFORE, configuration: CONFIGURATION });
    const spans = [{ term: 0 as Term, firstIndex: 1 as Index, isLossy: false }, ...spansOf([NEXT])];
    const effects = new Victim(state, A).hear(probe({ spans, last: endOf(NEXT) }));
    expect(effects.map(({ kind }) => kind)).to.not.include('close link');
  });
});

describe('A primary whose log and a backup that are at odds', () => {
  const wrong = append(endOf(FRAMES[11]!), [otherFrame(13)]);
  const { silentMs } = nodeOf(B, A).timing;

  it('MakeTheBackupStopServingOnceItLasts', () => {
    const victim = backupWithLinkTo(A);
    victim.hear(wrong);
    victim.nowMs += silentMs - 1;
    victim.relink();
    victim.hear(wrong);
    expect(victim.state.divergence).to.equal(undefined);
    victim.nowMs++;
    victim.relink();
    const effects = victim.hear(wrong);
    expect(victim.state.divergence).to.include('A:1 claims to be the primary, and it has other bytes');
    expect(effects.some((effect) => effect.kind === 'event' && effect.level === 'error')).to.equal(true);
  });

  it('DoNotWhileAnotherPrimaryIsHeard', () => {
    const victim = backupWithLinkTo(C);
    const claim = probe(historyOf(FRAMES.slice(0, 11)), LATER);
    for (let round = 0; round < 20; round++) {
      const { office } = victim.state;
      if (office.kind === 'backup') office.heardMs = victim.nowMs;
      victim.relink();
      victim.hear(claim);
      victim.nowMs += silentMs / 2;
    }
    expect(victim.state.divergence).to.equal(undefined);
  });

  it('AreForgottenOnceTheyAgree', () => {
    const victim = backupWithLinkTo(A);
    victim.hear(wrong);
    victim.relink();
    victim.hear(probe(historyOf(FRAMES)));
    expect(victim.state.contradicted).to.equal(undefined);
    victim.nowMs += 2 * silentMs;
    victim.hear(wrong);
    expect(victim.state.divergence).to.equal(undefined);
  });

  it('NeverStopAPrimaryThatServes', () => {
    const victim = primary();
    const claim = probe(historyOf(FRAMES.slice(0, 11)), LATER);
    for (let round = 0; round < 5; round++) {
      victim.relink();
      victim.hear(claim);
      victim.nowMs += silentMs;
    }
    expect(victim.state.divergence).to.equal(undefined);
    expect(victim.state.office.kind === 'primary' && victim.state.office.isServing).to.equal(true);
  });
});

describe('What is told of refused links', () => {
  it('IsToldAgainAfterAnHourAndNotBefore', () => {
    const victim = backupWithLinkTo(C);
    const events = (): number => victim.hear(heartbeat({})).filter(({ kind }) => kind === 'event').length;
    expect(events()).to.equal(1);
    victim.nowMs += 3_599_000;
    expect(events()).to.equal(0);
    victim.nowMs += 1000;
    expect(events()).to.equal(1);
  });

  it('IsRememberedOfABoundedNumber', () => {
    const victim = backupWithLinkTo(C);
    for (let at = 0; at < 1000; at++) {
      const node = `node ${String(at)}` as NodeId;
      const link = { id: (1000 + at) as LinkId, node, address: 'x:1', cluster: CLUSTER } as const;
      victim.input({ kind: 'link up', link: { ...link, isOutgoing: false, fsync: 'always' } });
      victim.input({ kind: 'message', link: link.id, message: heartbeat({}) });
    }
    expect(victim.state.refused.size).to.equal(256);
  });
});

describe('A backup takes from the primary that it follows', () => {
  for (const [name, message] of [
    ['AHeartbeat', heartbeat({})],
    [
      'AHeartbeatThatAsksForTheLongestLease',
      { ...heartbeat({}), leaseMs: longestLeaseMs(DEFAULT_TIMING) } as Message,
    ],
    ['AHeartbeatOfALongerLog', heartbeat({ last: endOf(FAR) })],
    ['FramesThatFollow', append(LAST, [NEXT, FAR])],
    ['FramesThatItHasAlready', append(endOf(FRAMES[11]!), [FRAMES[12]!, NEXT])],
    ['AProbe', probe(historyOf(FRAMES))],
    [
      'AProbeOfALogThatBeginsWithASnapshotAndHasNothingInCommon',
      probe(
        {
          spans: [{ term: LATER, firstIndex: 5 as Index, isLossy: false }],
          last: { term: LATER, index: 30 as Index },
        },
        LATER,
      ),
    ],
  ] as const) {
    it(name, () => {
      const victim = backupWithLinkTo(A);
      const effects = victim.hear(message);
      expect(effects.map(({ kind }) => kind)).to.not.include('close link');
      expect(effects).to.not.be.empty;
    });
  }
});

describe('A backup whose content came in a snapshot', () => {
  /** Its log begins behind what the primary of another line has had from its first entry on. */
  function hearsAnotherLine(lossAccepted: boolean): string[] {
    const victim = backupWithLinkTo(A);
    const end = { term: LATER, index: 40 as Index, checksum: 7 };
    victim.hear({ ...part(end, LATER), lossAccepted, isLast: true } as Message);
    victim.input({ kind: 'received', end, offset: 1, isWhole: true });
    victim.input({ kind: 'replaced', end });
    const line = { spans: [{ term: EVEN_LATER, firstIndex: 1 as Index, isLossy: false }] };
    const effects = victim.hear(
      probe({ ...line, last: { term: EVEN_LATER, index: 50 as Index } }, EVEN_LATER),
    );
    return effects.map((effect) => (effect.kind === 'send' ? effect.message.kind : effect.kind));
  }

  it('RefusesAPrimaryThatHasNothingOfIt', () => {
    expect(hearsAnotherLine(false)).to.include('close link');
  });

  it('TakesAnotherContentWhereALossWasAcceptedBeforeTheSnapshot', () => {
    expect(hearsAnotherLine(true)).to.include('probe answer').and.to.not.include('close link');
  });

  it('IsToldByItsPrimaryOfALossThatWasAccepted', () => {
    for (const isLossy of [false, true]) {
      const state = nodeOf(A, A);
      const effects: Effect[] = [];
      const opening = [{ share: 'majority', members: [A] }] as const;
      const grant = { kind: 'granted', longest: A, members: undefined, opening, isLossy } as const;
      takeOffice({ state, nowMs: NOW_MS, random: 0.5, effects }, grant, undefined, new Map());
      const primary = new Victim(state, B);
      const { office } = state;
      const progress = office.kind === 'primary' ? office.progress.get(B) : undefined;
      if (progress === undefined) throw new Error('it has a backup');
      progress.state = 'snapshot';
      progress.snapshot = { end: undefined, offset: 0 };
      const read = { end: LAST, offset: 0, bytes: Buffer.from('{'), isLast: true };
      const sent = primary.input({ kind: 'fed snapshot', peer: B, link: primary.link, ...read });
      const said = sent.flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []))[0];
      expect(said).to.include({ kind: 'snapshot part', lossAccepted: isLossy });
    }
  });
});
