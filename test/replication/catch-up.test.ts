import { expect } from 'chai';
import type { ClusterId, Index, NodeId, Term } from '../../src/engine.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { addToSpans } from '../../src/log/history.js';
import type { TermSpan } from '../../src/log/history.js';
import { begin, step } from '../../src/replication/core.js';
import { takeOffice } from '../../src/replication/leading.js';
import type { Message } from '../../src/replication/message.js';
import type { Effect, Input, LinkId, ReplicaState } from '../../src/replication/state.js';
import { chain, frameAfter } from '../node/frames.js';

const NOW_MS = 100_000;
const LINK = 1 as LinkId;
const TERM = 4 as Term;

function nodeWith(self: string, frames: readonly Frame[], commit: number): ReplicaState {
  const spans: TermSpan[] = [];
  for (const frame of frames) addToSpans(spans, frame);
  const members = ['A', 'B'].map((node) => ({ node: node as NodeId, address: node }));
  return begin({
    self: self as NodeId,
    cluster: 'c' as ClusterId,
    fsync: 'always',
    role: 'backup',
    term: self === 'A' ? TERM : (3 as Term),
    vote: undefined,
    leftOutAt: undefined,
    lastPrimary: undefined,
    configurations: {
      committed: { members, learners: [], acks: 'majority', failover: 'manual', position: EMPTY_LOG },
      open: [],
    },
    last: frames.length === 0 ? EMPTY_LOG : endOf(frames.at(-1)!),
    spans,
    commit: commit as Index,
    nowMs: NOW_MS,
    address: () => self,
  });
}

/** Two nodes and one link, over which they say what they have to say, in order. */
class Pair {
  readonly said: Message['kind'][] = [];
  /** What the log of the backup was told to do. */
  readonly done: Effect[] = [];
  readonly #primary: ReplicaState;
  readonly #backup: ReplicaState;
  readonly #frames: Frame[];

  constructor(primary: ReplicaState, backup: ReplicaState, frames: readonly Frame[]) {
    this.#primary = primary;
    this.#backup = backup;
    this.#frames = [...frames];
    const effects: Effect[] = [];
    const opening = [{ share: 'majority', members: ['A', 'B'] as NodeId[] }] as const;
    const grant = {
      kind: 'granted',
      longest: 'A' as NodeId,
      members: undefined,
      opening,
      isLossy: false,
    } as const;
    takeOffice({ state: primary, nowMs: NOW_MS, random: 0.5, effects }, grant, undefined, new Map());
    this.#perform(primary, effects);
  }

  connect(): void {
    const link = { id: LINK, cluster: 'c' as ClusterId, fsync: 'always' } as const;
    const [a, b] = [
      { node: 'A' as NodeId, address: 'A' },
      { node: 'B' as NodeId, address: 'B' },
    ];
    this.#input(this.#backup, { kind: 'link up', link: { ...link, ...a, isOutgoing: false } });
    this.#input(this.#primary, { kind: 'link up', link: { ...link, ...b, isOutgoing: true } });
  }

  #input(state: ReplicaState, input: Input): void {
    this.#perform(state, step(state, input, NOW_MS, 0.5));
  }

  #perform(state: ReplicaState, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (state === this.#backup) this.done.push(effect);
      if (effect.kind === 'send') {
        const to = state === this.#primary ? this.#backup : this.#primary;
        this.said.push(effect.message.kind);
        this.#input(to, { kind: 'message', link: LINK, message: effect.message });
      } else if (effect.kind === 'append' && state === this.#primary) {
        this.#frames.push(...effect.frames);
      } else if (effect.kind === 'feed') {
        const frames = this.#frames.filter(({ firstIndex }) => firstIndex > effect.after);
        this.#input(state, {
          kind: 'fed',
          peer: effect.peer,
          link: effect.link,
          after: effect.after,
          frames,
        });
      }
    }
  }
}

function following(start: readonly Frame[], count: number, term: number): Frame[] {
  const frames: Frame[] = [];
  for (let end: LogEnd = endOf(start.at(-1)!); frames.length < count; end = endOf(frames.at(-1)!)) {
    frames.push(frameAfter(end, { term }));
  }
  return frames;
}

describe('A backup that went its own way', () => {
  it('IsBroughtBackFromTheCommonPrefixAfterOneQuestionAndOneAnswer', () => {
    const common = chain(10);
    const ofPrimary = [...common, ...following(common, 5, 3)];
    const ofBackup = [...common, ...following(common, 3, 2)];
    const pair = new Pair(nodeWith('A', ofPrimary, 10), nodeWith('B', ofBackup, 10), ofPrimary);
    pair.connect();
    expect(pair.said.slice(0, 3)).to.deep.equal(['probe', 'probe answer', 'append']);
    const cut = pair.done.find((effect) => effect.kind === 'truncate');
    expect(cut?.end).to.deep.equal(endOf(common.at(-1)!));
    const appended = pair.done.flatMap((effect) => (effect.kind === 'append' ? effect.frames : []));
    // The five that it lacked, and the opening of the primary's term.
    expect(appended.map(({ firstIndex, term }) => [firstIndex, term])).to.deep.equal([
      ...[11, 12, 13, 14, 15].map((index) => [index, 3]),
      [16, TERM],
    ]);
  });

  it('IsAskedForNothingThatItHas', () => {
    const common = chain(10);
    const pair = new Pair(nodeWith('A', common, 10), nodeWith('B', common, 10), common);
    pair.connect();
    const appended = pair.done.flatMap((effect) => (effect.kind === 'append' ? effect.frames : []));
    expect(appended.map(({ firstIndex }) => firstIndex)).to.deep.equal([11]);
    expect(pair.done.some(({ kind }) => kind === 'truncate')).to.equal(false);
  });

  it('AcknowledgesNothingThatThePrimaryOfThisTermDidNotShowItToHave', () => {
    const common = chain(10);
    const backup = nodeWith('B', [...common, ...following(common, 3, 2)], 13);
    const link = { id: LINK, node: 'A' as NodeId, address: 'A', cluster: 'c' as ClusterId } as const;
    const acknowledged: number[] = [];
    const input = (each: Input): void => {
      for (const effect of step(backup, each, NOW_MS, 0.5)) {
        if (effect.kind === 'send' && effect.message.kind === 'append answer')
          acknowledged.push(effect.message.durable);
      }
    };
    // Its primary was promoted with an accepted loss: what this node has committed behind the tenth is gone there.
    input({ kind: 'link up', link: { ...link, isOutgoing: false, fsync: 'always' } });
    const standing = { isServing: true, isMember: true, leaseMs: 0, echoMs: undefined };
    const [last, commit] = [{ term: TERM, index: 12 as Index, checksum: 7 }, 12 as Index];
    const message = { kind: 'heartbeat', term: TERM, last, commit, round: 1, ...standing } as const;
    input({ kind: 'message', link: LINK, message });
    input({ kind: 'durable', index: 13 as Index });
    expect(acknowledged.filter((index) => index > 0)).to.deep.equal([]);
  });

  it('TakesNoPrimaryForOneThatLostEntriesWhenAnOldProbeOfItComesLate', () => {
    const frames = chain(13);
    const term = frames.at(-1)!.term;
    const backup = nodeWith('B', frames, 13);
    backup.term = term;
    const link = { id: LINK, node: 'A' as NodeId, address: 'A', cluster: 'c' as ClusterId } as const;
    step(backup, { kind: 'link up', link: { ...link, isOutgoing: false, fsync: 'always' } }, NOW_MS, 0.5);
    // Of the term that the last entries here are of: its primary had them when it sent them.
    const spans: TermSpan[] = [];
    for (const frame of frames) addToSpans(spans, frame);
    const history = { spans, last: { term, index: 10 as Index } };
    const message = { kind: 'probe', term, probe: 1, history } as const;
    const effects = step(backup, { kind: 'message', link: LINK, message }, NOW_MS, 0.5);
    expect(backup.divergence).to.equal(undefined);
    expect(effects.filter(({ kind }) => kind === 'send')).to.deep.equal([]);
  });

  it('RemembersWhoOpenedTheTermAlsoWhenItsLogNoLongerReachesBack', () => {
    const common = chain(10);
    const pair = new Pair(nodeWith('A', common, 10), nodeWith('B', common, 10), common);
    pair.connect();
    const saved = pair.done.filter((effect) => effect.kind === 'persist').at(-1);
    expect(saved?.state.lastPrimary).to.equal('A');
  });
});

describe('A snapshot that is sent to a backup', () => {
  const END: LogEnd = { term: 3 as Term, index: 20 as Index, checksum: 7 };
  const bytes = Buffer.alloc(100, '{');

  /** Told of a part on a link; answers what the backup does. */
  function tell(backup: ReplicaState, link: number, node: string, offset: number): Effect[] {
    const id = link as LinkId;
    const peer = { node: node as NodeId, address: node, cluster: 'c' as ClusterId } as const;
    if (!backup.links.has(id)) {
      step(
        backup,
        { kind: 'link up', link: { id, ...peer, isOutgoing: false, fsync: 'always' } },
        NOW_MS,
        0.5,
      );
    }
    const configuration = {
      members: [],
      learners: [],
      acks: 'majority',
      failover: 'manual',
      position: EMPTY_LOG,
    } as const;
    const part = { kind: 'snapshot part', term: TERM, end: END, configuration, offset, bytes } as const;
    return step(
      backup,
      { kind: 'message', link: id, message: { ...part, lossAccepted: false, isLast: false } },
      NOW_MS,
      0.5,
    );
  }

  function begun(): ReplicaState {
    const backup = nodeWith('B', [], 0);
    expect(tell(backup, 1, 'A', 0).map(({ kind }) => kind)).to.include('receive');
    step(backup, { kind: 'received', end: END, offset: bytes.length, isWhole: false }, NOW_MS, 0.5);
    step(backup, { kind: 'link down', link: LINK }, NOW_MS, 0.5);
    return backup;
  }

  it('GoesOnOverAnotherLinkFromWhereItWas', () => {
    const backup = begun();
    const again = tell(backup, 2, 'A', 0);
    expect(again.map(({ kind }) => kind)).to.deep.equal(['send']);
    expect(again[0]).to.have.nested.property('message.offset', bytes.length);
    expect(tell(backup, 2, 'A', bytes.length)).to.have.nested.property('[0].kind', 'receive');
  });

  it('BeginsAnewWhenWhatHadArrivedIsGone', () => {
    const backup = begun();
    step(backup, { kind: 'received', end: END, offset: 0, isWhole: false }, NOW_MS, 0.5);
    expect(tell(backup, 2, 'A', 0)).to.have.nested.property('[0].kind', 'receive');
  });

  it('BeginsAnewFromAnotherNodeWhoseFileIsAnotherOne', () => {
    const backup = begun();
    backup.vote = undefined;
    const effects = tell(backup, 2, 'C', 0).filter(({ kind }) => kind === 'receive');
    expect(effects).to.have.nested.property('[0].offset', 0);
  });
});
