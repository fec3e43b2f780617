import type { Index, NodeId, Term } from '../../src/engine.js';
import { committable } from '../../src/replication/commit.js';
import type { KnownMemberships, Membership } from '../../src/replication/membership.js';
import { decidePromotion } from '../../src/replication/promotion.js';
import type { PromotionAnswer } from '../../src/replication/promotion.js';
import type { Requirement } from '../../src/replication/quorum.js';

/**
 * A model of memberships, promotions and forced changes, small enough to be searched to the end. It decides with the
 * functions of `src/replication`; around them everything is as coarse as it can be: a promotion is one step, a
 * replication is one step, a crash forgets what is not on disk. The operator tells
 * the truth: `othersAreDown` is only said when they are.
 */

export interface Entry {
  readonly term: number;
  readonly kind: 'open' | 'write' | 'change';
  /** What the entry sets the membership to. */
  readonly members?: readonly NodeId[];
  readonly needs: readonly Requirement[];
}

export interface Node {
  readonly log: readonly Entry[];
  readonly term: number;
  readonly isUp: boolean;
  readonly role: 'backup' | 'opening' | 'serving';
  readonly isConfirmed: boolean;
  readonly isLeftOut: boolean;
  /** Length of the log up to the last membership that this node knows to be committed. On disk. */
  readonly knownCommitted: number;
  /** Of a primary: length of its log that is committed. Forgotten in a crash. */
  readonly committed: number;
  /** Of a primary: how long a log it knows each node to hold. */
  readonly match: readonly number[];
}

export interface State {
  readonly nodes: readonly Node[];
  readonly nextTerm: number;
  /** Every entry that was ever committed, with its index: `index:term`. */
  readonly safe: readonly string[];
  readonly crashes: number;
}

/** How far the search goes. */
export interface Bounds {
  readonly logMax: number;
  readonly termMax: number;
  readonly crashesMax: number;
  /** Changes by a primary that serves, and writes, in one log. */
  readonly changesMax: number;
  readonly writesMax: number;
}

/** Simpler rules, each of which loses something. The search must find it. */
export type Planted =
  | 'only the newest membership binds'
  | 'half without confirmation'
  | 'confirmed by one that does not serve'
  | 'counted under the membership that comes later';

export class Violation extends Error {}

export const NAMES = ['A', 'B', 'C', 'D'] as unknown as readonly NodeId[];

function majority(members: readonly NodeId[]): Requirement {
  return { share: 'majority', members };
}

/** The nodes named are the members, the first is the primary and serves; the others are empty. */
export function initialState(count: number, memberCount: number): State {
  const members = NAMES.slice(0, memberCount);
  const first: Entry = { term: 1, kind: 'open', members, needs: [majority(members)] };
  const nodes = Array.from({ length: count }, (_, at): Node => {
    const isMember = at < memberCount;
    return {
      log: isMember ? [first] : [],
      term: isMember ? 1 : 0,
      isUp: true,
      role: at === 0 ? 'serving' : 'backup',
      isConfirmed: isMember,
      isLeftOut: !isMember,
      knownCommitted: isMember ? 1 : 0,
      committed: at === 0 ? 1 : 0,
      match: Array.from({ length: count }, () => 0),
    };
  });
  return { nodes, nextTerm: 2, safe: ['0:1'], crashes: 0 };
}

function countOf(log: readonly Entry[], kind: Entry['kind']): number {
  return log.filter((entry) => entry.kind === kind).length;
}

function membersOf(log: readonly Entry[]): readonly NodeId[] {
  return log.findLast((entry) => entry.members !== undefined)?.members ?? [];
}

function knownMemberships(node: Node): KnownMemberships {
  const all = node.log.flatMap((entry, at): Membership[] => {
    if (entry.members === undefined) return [];
    const position = { term: entry.term as Term, index: (at + 1) as Index };
    return [{ position, members: entry.members, acks: 'majority' }];
  });
  const isCommitted = ({ position }: Membership): boolean => position.index <= node.knownCommitted;
  const committed = all.filter(isCommitted).at(-1)!;
  return { committed, open: all.filter((membership) => !isCommitted(membership)) };
}

export class Model {
  constructor(
    readonly bounds: Bounds,
    readonly planted?: Planted,
  ) {}

  /** Every state that one step can lead to, with the step's name. */
  *successors(state: State): Generator<readonly [string, State]> {
    for (let at = 0; at < state.nodes.length; at++) {
      yield* this.#nodeSteps(state, at);
      yield* this.#promotions(state, at);
    }
  }

  *#nodeSteps(state: State, at: number): Generator<readonly [string, State]> {
    const node = state.nodes[at]!;
    const name = NAMES[at]!;
    if (!node.isUp) {
      yield [`${name} starts`, withNode(state, at, { isUp: true })];
      return;
    }
    if (state.crashes < this.bounds.crashesMax) {
      const forgotten = { isUp: false, role: 'backup', isConfirmed: false, committed: 0 } as const;
      const match = node.match.map(() => 0);
      const crashed = withNode(state, at, { ...forgotten, match });
      yield [`${name} crashes`, { ...crashed, crashes: state.crashes + 1 }];
    }
    if (node.role === 'backup') return;
    const commits = this.#commit(state, at);
    if (commits !== undefined) yield [`${name} commits`, commits];
    for (let to = 0; to < state.nodes.length; to++) {
      if (to === at || !state.nodes[to]!.isUp) continue;
      yield* this.#replicate(state, at, to);
    }
    if (node.role === 'serving' && node.log.length < this.bounds.logMax) yield* this.#appends(state, at);
  }

  *#appends(state: State, at: number): Generator<readonly [string, State]> {
    const node = state.nodes[at]!;
    const name = NAMES[at]!;
    const members = membersOf(node.log);
    const append = (entry: Omit<Entry, 'term'>): State =>
      withNode(state, at, { log: [...node.log, { ...entry, term: node.term }] });
    if (countOf(node.log, 'write') < this.bounds.writesMax) {
      yield [`${name} appends a write`, append({ kind: 'write', needs: [majority(members)] })];
    }
    const isSettled = node.log.findLastIndex((entry) => entry.members !== undefined) < node.committed;
    if (!isSettled || countOf(node.log, 'change') >= this.bounds.changesMax) return;
    for (let other = 0; other < state.nodes.length; other++) {
      const otherName = NAMES[other]!;
      if (other === at) continue;
      if (members.includes(otherName)) {
        const fewer = members.filter((member) => member !== otherName);
        const needs = [majority(members), majority(fewer)];
        yield [`${name} removes ${otherName}`, append({ kind: 'change', members: fewer, needs })];
      } else if (state.nodes[other]!.isUp && state.nodes[other]!.term <= node.term) {
        const more = [...members, otherName].sort();
        const needs = [majority(members), majority(more)];
        // The learner has caught up: it has the log as it was before the change.
        const caughtUp = withNode(append({ kind: 'change', members: more, needs }), other, {
          log: node.log,
          term: node.term,
          role: 'backup',
          isLeftOut: false,
          knownCommitted: node.knownCommitted,
        });
        yield [`${name} adds ${otherName}`, caughtUp];
      }
    }
  }

  *#replicate(state: State, from: number, to: number): Generator<readonly [string, State]> {
    const [primary, other] = [state.nodes[from]!, state.nodes[to]!];
    const step = `${NAMES[from]!} to ${NAMES[to]!}`;
    if (other.term > primary.term) {
      yield [`${step}: fenced`, withNode(state, from, { role: 'backup', term: other.term })];
      return;
    }
    const isMember = membersOf(primary.log).includes(NAMES[to]!);
    const known = knownMemberships(primary);
    const mayLast = [known.committed, ...known.open].some(({ members }) => members.includes(NAMES[to]!));
    if (!mayLast) {
      if (other.isLeftOut || primary.role !== 'serving') return;
      yield [
        `${step}: left out`,
        withNode(state, to, { isLeftOut: true, role: 'backup', term: primary.term }),
      ];
      return;
    }
    const isServing = primary.role === 'serving' || this.planted === 'confirmed by one that does not serve';
    const confirms = isMember && isServing;
    const held = withNode(state, to, {
      log: primary.log,
      term: primary.term,
      role: 'backup',
      isConfirmed: other.isConfirmed || confirms,
      isLeftOut: other.isLeftOut && !isMember,
      knownCommitted: primary.knownCommitted,
    });
    // An answer that is lost needs no step of its own: the primary may take any time to act on one.
    const match = primary.match.map((length, at) => (at === to ? primary.log.length : length));
    yield [step, withNode(held, from, { match })];
  }

  #commit(state: State, at: number): State | undefined {
    const node = state.nodes[at]!;
    const opening = node.log.findIndex((entry) => entry.term === node.term);
    const start = Math.max(opening, node.committed);
    const later = membersOf(node.log);
    const open = node.log.slice(start).map((entry, offset) => ({
      last: (start + offset + 1) as Index,
      isWhole: start + offset === opening,
      needs:
        this.planted === 'counted under the membership that comes later' && entry.kind === 'write'
          ? [majority(later)]
          : entry.needs,
    }));
    const durable = (name: NodeId): Index => {
      const other = NAMES.indexOf(name);
      return (other === at ? node.log.length : (node.match[other] ?? 0)) as Index;
    };
    const committed = committable(open, durable);
    if (committed === undefined || committed <= node.committed) return undefined;
    const newlySafe = node.log
      .slice(0, committed)
      .map((entry, index) => `${String(index)}:${String(entry.term)}`);
    const safe = [...new Set([...state.safe, ...newlySafe])].sort();
    const knownCommitted =
      node.log.slice(0, committed).findLastIndex((entry) => entry.members !== undefined) + 1;
    const next = withNode(state, at, { role: 'serving', isConfirmed: true, committed, knownCommitted });
    return { ...next, safe };
  }

  *#promotions(state: State, at: number): Generator<readonly [string, State]> {
    if (!state.nodes[at]!.isUp || state.nextTerm > this.bounds.termMax) return;
    if (state.nodes[at]!.log.length >= this.bounds.logMax) return;
    const others = state.nodes
      .map((_, other) => other)
      .filter((other) => other !== at && state.nodes[other]!.isUp);
    for (let choice = 0; choice < 2 ** others.length; choice++) {
      const asked = [at, ...others.filter((_, bit) => (choice & (2 ** bit)) !== 0)];
      for (const othersAreDown of [false, true]) {
        const next = this.#promote(state, at, asked, othersAreDown);
        if (next === undefined) continue;
        const names = asked.map((other) => NAMES[other]).join('');
        yield [`${NAMES[at]!} promoted by ${names}${othersAreDown ? ', others are down' : ''}`, next];
      }
    }
  }

  #promote(state: State, at: number, asked: readonly number[], othersAreDown: boolean): State | undefined {
    const answers = asked
      .filter((other) => state.nodes[other]!.log.length > 0)
      .map((other) => this.#answer(state, other));
    const decision = decidePromotion(NAMES[at]!, answers, { othersAreDown, acceptDataLoss: false });
    if (decision.kind === 'refused') return undefined;
    // A majority was enough: the plain promotion is the same step.
    if (othersAreDown && decision.members === undefined) return undefined;
    // The operator says it only when it is true of every member that somebody knows of.
    const mentioned = new Set(
      answers.flatMap(({ memberships }) =>
        [memberships.committed, ...memberships.open].flatMap(({ members }) => members),
      ),
    );
    const lies = state.nodes.some(
      (node, other) => node.isUp && !asked.includes(other) && mentioned.has(NAMES[other]!),
    );
    if (decision.members !== undefined && lies) return undefined;
    const term = state.nextTerm;
    const longest = state.nodes[NAMES.indexOf(decision.longest)]!;
    const opening: Entry =
      decision.members === undefined
        ? { term, kind: 'open', needs: decision.opening }
        : { term, kind: 'open', members: decision.members, needs: decision.opening };
    let next: State = { ...state, nextTerm: term + 1 };
    for (const other of asked) next = withNode(next, other, { term, role: 'backup' });
    return withNode(next, at, {
      role: 'opening',
      log: [...longest.log, opening],
      knownCommitted: longest.knownCommitted,
      committed: 0,
      match: state.nodes.map(() => 0),
    });
  }

  #answer(state: State, at: number): PromotionAnswer {
    const node = state.nodes[at]!;
    const known = knownMemberships(node);
    const newest = known.open.at(-1) ?? known.committed;
    return {
      node: NAMES[at]!,
      last: { term: node.log.at(-1)!.term as Term, index: node.log.length as Index },
      memberships:
        this.planted === 'only the newest membership binds' ? { committed: newest, open: [] } : known,
      lastPrimary: undefined,
      isLeftOut: node.isLeftOut,
      isConfirmed: this.planted === 'half without confirmation' ? true : node.isConfirmed,
    };
  }
}

function withNode(state: State, at: number, change: Partial<Node>): State {
  return {
    ...state,
    nodes: state.nodes.map((node, other) => (other === at ? { ...node, ...change } : node)),
  };
}

/** Throws when something that was committed is missing where it must be. */
export function check(state: State): void {
  for (const [at, node] of state.nodes.entries()) {
    if (node.role !== 'serving') continue;
    for (const entry of state.safe) {
      const [index, term] = entry.split(':').map(Number) as [number, number];
      if (term <= node.term && node.log[index]?.term !== term) {
        throw new Violation(`${NAMES[at]!} serves without entry ${entry}`);
      }
    }
  }
  const safe = new Map(state.safe.map((entry) => entry.split(':') as [string, string]));
  if (safe.size !== state.safe.length) throw new Violation('two entries were committed at one index');
}
