import { expect } from 'chai';
import type { ClusterId, Index, NodeId, Term } from '../../src/engine.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import { begin, step } from '../../src/replication/core.js';
import type { Message } from '../../src/replication/message.js';
import type { PromotionAnswer } from '../../src/replication/promotion.js';
import type { CommandId, Input, LinkId, ReplicaState } from '../../src/replication/state.js';
import { DEFAULT_TIMING } from '../../src/replication/timing.js';
import { chain } from '../node/frames.js';

const LINK = 1 as LinkId;
const TERM = 1 as Term;
const [A, B] = ['A' as NodeId, 'B' as NodeId];

/** A promotion of A, whose log is shorter than what B said that it has. */
class Taking {
  readonly #state: ReplicaState;
  #nowMs = 100_000;
  #sent: Message[] = [];

  constructor(own: readonly Frame[], ofOther: Frame) {
    const last = endOf(own.at(-1)!);
    const members = [A, B].map((node) => ({ node, address: node }));
    const committed = {
      members,
      learners: [],
      acks: 'majority',
      failover: 'manual',
      position: EMPTY_LOG,
    } as const;
    this.#state = begin({
      self: A,
      cluster: 'c' as ClusterId,
      fsync: 'always',
      role: 'backup',
      term: TERM,
      vote: undefined,
      leftOutAt: undefined,
      lastPrimary: B,
      configurations: { committed, open: [] },
      last,
      spans: [{ term: TERM, firstIndex: 1 as Index, isLossy: false }],
      commit: 0 as Index,
      nowMs: this.#nowMs,
      address: () => A,
    });
    const link = { id: LINK, node: B, address: B, cluster: 'c' as ClusterId } as const;
    this.#input({ kind: 'link up', link: { ...link, isOutgoing: true, fsync: 'always' } });
    const change = { kind: 'promote', othersAreDown: false, acceptDataLoss: false } as const;
    this.#input({ kind: 'command', command: 1 as CommandId, change });
    const { term, index } = endOf(ofOther);
    const memberships = {
      committed: { position: EMPTY_LOG, members: [A, B], acks: 'majority' },
      open: [],
    } as const;
    const answer: PromotionAnswer = {
      node: B,
      last: { term, index },
      memberships,
      lastPrimary: B,
      isLeftOut: false,
      isConfirmed: true,
    };
    const asked = { term: TERM, attempt: 1, answer } as const;
    const standing = {
      role: 'backup',
      primary: undefined,
      primaryAddress: undefined,
      hearsPrimary: false,
      isWilling: true,
    } as const;
    const survey = { ...asked, ...standing, wantsPlace: false, excludedBy: undefined, peers: [] };
    this.hear({ kind: 'survey answer', ...survey });
    const granted = { isGranted: true, reason: undefined, waitMs: 0, alive: [] } as const;
    this.hear({ kind: 'fence answer', ...asked, ...granted, term: this.#state.term });
  }

  /** What was sent since it was asked the last time. */
  sent(): Message['kind'][] {
    const kinds = this.#sent.map(({ kind }) => kind);
    this.#sent = [];
    return kinds;
  }

  hear(message: Message): void {
    this.#input({ kind: 'message', link: LINK, message });
  }

  supply(previous: Frame, frames: readonly Frame[]): void {
    this.hear({ kind: 'supply', term: this.#state.term, previous: endOf(previous), frames });
  }

  tickAfter(passedMs: number): void {
    this.#nowMs += passedMs;
    this.#input({ kind: 'tick' });
  }

  #input(input: Input): void {
    for (const effect of step(this.#state, input, this.#nowMs, 0.5)) {
      if (effect.kind === 'send') this.#sent.push(effect.message);
    }
  }
}

describe('A node that fetches the longest log', () => {
  const frames = chain(4);

  it('AsksForTheRestAtOnceWhenItWasSuppliedAPart', () => {
    const taking = new Taking(frames.slice(0, 2), frames[3]!);
    expect(taking.sent()).to.deep.equal(['survey', 'fence', 'fetch']);
    taking.supply(frames[1]!, [frames[2]!]);
    expect(taking.sent()).to.deep.equal(['fetch']);
  });

  it('AsksASourceThatLostWhatItSaidItHasOnlyAtTheNextTick', () => {
    const taking = new Taking(frames.slice(0, 3), frames[3]!);
    expect(taking.sent()).to.deep.equal(['survey', 'fence', 'fetch']);
    taking.supply(frames[2]!, []);
    expect(taking.sent()).to.deep.equal([]);
    taking.tickAfter(DEFAULT_TIMING.resendMs);
    expect(taking.sent()).to.deep.equal(['fetch']);
  });
});
