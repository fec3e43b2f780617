import { expect } from 'chai';
import type { ClusterId, Index, NodeId, Term } from '../../src/engine.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import { addToSpans } from '../../src/log/history.js';
import type { TermSpan } from '../../src/log/history.js';
import { begin, step } from '../../src/replication/core.js';
import { takeOffice } from '../../src/replication/leading.js';
import type { Message } from '../../src/replication/message.js';
import { heldByLinked } from '../../src/replication/streaming.js';
import type { Effect, Input, LinkId, ReplicaState } from '../../src/replication/state.js';
import { DEFAULT_TIMING } from '../../src/replication/timing.js';
import { chain, frameAfter } from '../node/frames.js';

const LINK = 1 as LinkId;
const TERM = 4 as Term;
const [A, B] = ['A' as NodeId, 'B' as NodeId];
/** A frame a message, and two of them on their way. */
const { commitMs: COMMIT_MS } = DEFAULT_TIMING;
const WINDOWS = { bytes: 4096, messages: 2, messageBytes: 1 };

/** A primary with one backup, which says what the test has it say. */
class Primary {
  /** After which entries frames are to be read and were not yet. */
  reading: Index[] = [];
  readonly sent: Message[] = [];
  /** How long it wants to be reminded after. */
  reminders: number[] = [];
  readonly frames: Frame[];
  readonly #state: ReplicaState;
  #nowMs = 100_000;

  constructor(frames: readonly Frame[]) {
    this.frames = [...frames];
    const spans: TermSpan[] = [];
    for (const frame of frames) addToSpans(spans, frame);
    const members = [A, B].map((node) => ({ node, address: node }));
    const position = EMPTY_LOG;
    this.#state = begin({
      self: A,
      cluster: 'c' as ClusterId,
      fsync: 'always',
      role: 'backup',
      term: TERM,
      vote: undefined,
      leftOutAt: undefined,
      lastPrimary: undefined,
      configurations: {
        committed: { members, learners: [], acks: '0', failover: 'manual', position },
        open: [],
      },
      last: endOf(frames.at(-1)!),
      spans,
      commit: 0 as Index,
      nowMs: this.#nowMs,
      address: () => A,
      windows: WINDOWS,
    });
    const effects: Effect[] = [];
    const opening = [{ share: 'majority', members: [A] }] as const;
    const grant = { kind: 'granted', longest: A, members: undefined, opening, isLossy: false } as const;
    takeOffice({ state: this.#state, nowMs: this.#nowMs, random: 0.5, effects }, grant, undefined, new Map());
    this.#take(effects);
    const link = { id: LINK, node: B, address: B, cluster: 'c' as ClusterId } as const;
    this.input({ kind: 'link up', link: { ...link, isOutgoing: true, fsync: 'always' } });
  }

  /** The last entry, which opens the term. */
  get last(): Index {
    return this.#state.last.index;
  }

  /** The last entry that nobody asks for again to whom there is a link. */
  get held(): number {
    return heldByLinked(this.#state);
  }

  /** After which entries frames were sent. */
  get appends(): number[] {
    return this.sent.flatMap((message) => (message.kind === 'append' ? [message.previous.index] : []));
  }

  get probe(): number {
    const probes = this.sent.flatMap((message) => (message.kind === 'probe' ? [message.probe] : []));
    return probes.at(-1) ?? 0;
  }

  hear(message: Message): void {
    this.input({ kind: 'message', link: LINK, message });
  }

  answerProbe(matched: number): void {
    const [index, { probe }] = [matched as Index, this];
    this.hear({
      ...{ kind: 'probe answer', term: TERM, probe, matched: index },
      ...{ durable: index, wantsSnapshot: false },
    });
  }

  acknowledge(durable: number): void {
    const index = durable as Index;
    this.hear({ kind: 'append answer', term: TERM, matched: index, durable: index, sentMs: 1 });
  }

  /** Reads what is to be read, until nothing is. */
  read(): void {
    for (let after = this.reading.shift(); after !== undefined; after = this.reading.shift()) this.fed(after);
  }

  /** Hands over one frame that was read. */
  fed(after: Index): void {
    const frames = this.frames.filter(({ firstIndex }) => firstIndex === after + 1);
    this.input({ kind: 'fed', peer: B, link: LINK, after, frames });
  }

  pass(durationMs: number): void {
    this.#nowMs += durationMs;
    this.input({ kind: 'tick' });
  }

  /** Time passes, and it is reminded if it asked for that. */
  passToReminder(durationMs: number): void {
    this.#nowMs += durationMs;
    if (this.reminders.splice(0).length > 0) this.input({ kind: 'reminded' });
  }

  /** The commits that the backup was told since it was last looked, each with the message that told it. */
  told(): string[] {
    return this.sent
      .splice(0)
      .flatMap((message) => ('commit' in message ? [`${message.kind} ${String(message.commit)}`] : []));
  }

  write(): void {
    const frame = frameAfter(endOf(this.frames.at(-1)!), { term: TERM });
    this.input({ kind: 'propose', frame });
    this.read();
  }

  commit(): void {
    this.input({ kind: 'durable', index: this.last });
  }

  input(input: Input): void {
    this.#take(step(this.#state, input, this.#nowMs, 0.5));
  }

  #take(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'send') this.sent.push(effect.message);
      else if (effect.kind === 'append') this.frames.push(...effect.frames);
      else if (effect.kind === 'feed') this.reading.push(effect.after);
      else if (effect.kind === 'remind') this.reminders.push(effect.afterMs);
    }
  }
}

describe('What is streamed to a backup', () => {
  it('GoesOnWhenAnOldAnswerToAProbeComesAfterAcknowledgements', () => {
    const primary = new Primary(chain(9));
    primary.answerProbe(6);
    primary.read();
    expect(primary.appends, 'as much as the window takes').to.deep.equal([6, 7]);
    // The second one came first. The first came right behind it, and both were acknowledged before the probe was answered.
    primary.hear({ kind: 'mismatch', term: TERM });
    primary.acknowledge(7);
    primary.acknowledge(8);
    primary.answerProbe(6);
    primary.read();
    primary.acknowledge(9);
    primary.acknowledge(10);
    primary.read();
    expect(primary.appends).to.deep.equal([6, 7, 8, 9]);
    expect(primary.last).to.equal(10);
  });

  it('GoesOnWhenWhatIsBeingReadForItIsAcknowledgedMeanwhile', () => {
    const primary = new Primary(chain(9));
    primary.answerProbe(6);
    primary.read();
    primary.hear({ kind: 'mismatch', term: TERM });
    primary.answerProbe(6);
    const slow = primary.reading.splice(0);
    expect(slow).to.deep.equal([6]);
    primary.acknowledge(8);
    for (const after of slow) primary.fed(after);
    primary.read();
    expect(primary.appends).to.deep.equal([6, 7, 8, 9]);
  });

  it('IsReadAgainAfterAWhileWhenItCouldNotBeRead', () => {
    const primary = new Primary(chain(9));
    primary.answerProbe(6);
    const [after] = primary.reading.splice(0);
    const before = primary.probe;
    primary.input({ kind: 'fed', peer: B, link: LINK, after: after!, frames: 'unreadable' });
    primary.pass(100);
    expect(primary.probe, 'not at once').to.equal(before);
    primary.pass(2000);
    primary.answerProbe(6);
    primary.read();
    expect(primary.appends).to.deep.equal([6, 7]);
  });
});

describe('What every backup has to which there is a link', () => {
  it('IsWhatTheyAcknowledgedAndEverythingWhereThereIsNone', () => {
    const primary = new Primary(chain(9));
    expect(primary.held).to.equal(0);
    primary.answerProbe(6);
    primary.read();
    expect(primary.held).to.equal(6);
    primary.acknowledge(7);
    expect(primary.held).to.equal(7);
    primary.input({ kind: 'link down', link: LINK });
    expect(primary.held).to.equal(Infinity);
  });
});

describe('That the commit has moved', () => {
  /** One that feeds its backup, has told it everything, and takes writes. */
  function primaryThatFeeds(): Primary {
    const primary = new Primary(chain(9));
    primary.commit();
    primary.answerProbe(9);
    primary.read();
    primary.acknowledge(10);
    primary.pass(COMMIT_MS);
    primary.told();
    primary.reminders = [];
    return primary;
  }

  it('IsToldByTheAppendThatFollowsAndByNothingElse', () => {
    const primary = primaryThatFeeds();
    primary.write();
    primary.commit();
    primary.write();
    expect(primary.told()).to.deep.equal(['append 10', 'append 11']);
    primary.passToReminder(COMMIT_MS);
    expect(primary.told()).to.deep.equal([]);
  });

  it('IsToldByAHeartbeatALittleLaterWhereNoAppendFollows', () => {
    const primary = primaryThatFeeds();
    primary.write();
    primary.commit();
    expect(primary.reminders).to.deep.equal([COMMIT_MS]);
    primary.passToReminder(COMMIT_MS / 2);
    expect(primary.told(), 'not yet').to.deep.equal(['append 10']);
    expect(primary.reminders, 'the rest of it').to.deep.equal([COMMIT_MS / 2]);
    primary.passToReminder(COMMIT_MS / 2);
    expect(primary.told()).to.deep.equal(['heartbeat 11']);
    primary.passToReminder(COMMIT_MS);
    expect(primary.told(), 'once').to.deep.equal([]);
  });

  it('IsToldByAReminderThatComesAHairTooEarlySoThatNoneIsAskedForAgainAndAgain', () => {
    const primary = primaryThatFeeds();
    primary.write();
    primary.commit();
    primary.passToReminder(COMMIT_MS - 1e-9);
    expect(primary.told()).to.deep.equal(['append 10', 'heartbeat 11']);
    expect(primary.reminders).to.deep.equal([]);
  });

  it('IsToldByTheNextTickAtTheLatestAlsoWithoutAReminder', () => {
    const primary = primaryThatFeeds();
    primary.write();
    primary.commit();
    primary.pass(COMMIT_MS);
    expect(primary.told()).to.deep.equal(['append 10', 'heartbeat 11']);
  });

  it('IsOwedSinceTheFirstOfSeveralHoweverFastTheyCome', () => {
    const primary = primaryThatFeeds();
    // The window is full, so that no append follows.
    primary.write();
    primary.write();
    primary.write();
    primary.told();
    primary.commit();
    primary.passToReminder(COMMIT_MS / 2);
    primary.write();
    primary.commit();
    primary.passToReminder(COMMIT_MS / 2);
    expect(primary.told()).to.deep.equal(['heartbeat 14']);
  });
});
