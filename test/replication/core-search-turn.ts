import { controlEntryOf } from '../../src/log/control.js';
import { endOf, lastIndexOf } from '../../src/log/frame.js';
import type { Frame } from '../../src/log/frame.js';
import { step } from '../../src/replication/core.js';
import type { Message } from '../../src/replication/message.js';
import { RULES } from '../../src/replication/rules.js';
import type { ReplicationRules } from '../../src/replication/rules.js';
import type { Effect, Input, LinkId, ReplicaState } from '../../src/replication/state.js';
import { hasEntry } from '../../src/replication/turn.js';
import { Violation } from '../sim/violation.js';
import { checkAppended, checkStepped, checkTruncated, noteCommitted } from './core-search-checks.js';
import { copyState } from './core-search-copy.js';
import { afterBarrier, cutBehind, isBarrier, withFrames } from './core-search-disk.js';
import type { Barrier } from './core-search-disk.js';
import { missing, wantedLinks, withQueue, withoutEnd } from './core-search-links.js';
import { NAMES, NOW_MS, interned, logOf, peerOf, readBehind, started } from './core-search-world.js';
import type { Bounds, Budget, Ghost, LinkWorld, NodeWorld, Order, World } from './core-search-world.js';

/** What an operator said was not true, so what follows from it is promised by nobody. */
export class Untruthful extends Error {}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
export type OwnNode = Mutable<NodeWorld> & { state: ReplicaState | undefined };

const PROMPT_MAX = 1000;
/** No link has the number of another one. */
let lastLink = 0;

/**
 * One thing that happens in a world, and all that it brings with it: it works on a copy. Effects are done as `src/node/replica.ts` does
 * them: in their order, and nothing behind a barrier before it is durable.
 */
export class Turn {
  readonly nodes: NodeWorld[];
  links: LinkWorld[];
  ghost: Ghost;
  budget: Budget;
  /** Moments before or behind something that was made durable, where a crash is no other one than before or behind the whole turn. */
  halts = 0;
  /** Something was done since the last of these moments. */
  #isChanged = false;
  readonly #bounds: Bounds;
  readonly #rules: ReplicationRules;
  readonly #haltAt: number | undefined;
  readonly #own = new Set<number>();
  readonly #inputs: { readonly at: number; readonly input: Input }[] = [];

  constructor(world: World, bounds: Bounds, haltAt?: number) {
    this.nodes = [...world.nodes];
    this.links = [...world.links];
    this.ghost = world.ghost;
    this.budget = world.budget;
    this.#bounds = bounds;
    this.#rules = { ...RULES, ...bounds.rules };
    this.#haltAt = haltAt;
  }

  get world(): World {
    const { nodes, links, ghost, budget } = this;
    return { nodes, links, ghost, budget };
  }

  /** How many of them there were before something else was done. */
  get haltsWithin(): number {
    return this.#isChanged ? this.halts : this.halts - 1;
  }

  spend(kind: keyof Budget): void {
    this.budget = { ...this.budget, [kind]: this.budget[kind] - 1 };
  }

  /** The node, to be changed. */
  own(at: number): OwnNode {
    const node = this.nodes[at]!;
    if (this.#own.has(at)) return node;
    this.#own.add(at);
    const copy = { ...node, key: undefined, state: node.state && copyState(node.state) };
    this.nodes[at] = copy;
    return copy;
  }

  /** Time passes for a node, or for it alone when clocks go their own ways. */
  pass(at: number, passedMs: number): void {
    const node = this.own(at);
    if (node.state !== undefined && passedMs > 0) node.state = copyState(node.state, passedMs);
  }

  input(at: number, input: Input): void {
    this.#inputs.push({ at, input });
  }

  /** Takes what came, and what comes of it at once. */
  run(): void {
    for (let work = 0; ; work++) {
      if (work > PROMPT_MAX) throw new Violation('the nodes go on for ever');
      const next = this.#inputs.shift();
      if (next !== undefined) this.#step(next.at, next.input);
      else if (
        !this.#writePromptly() &&
        !this.#missPromptly() &&
        !this.#linkPromptly() &&
        !this.#deliverPromptly()
      )
        return;
    }
  }

  start(at: number): void {
    const node = this.own(at);
    node.state = started(at, node.disk, this.#bounds, this.#rules);
    if (node.state.term < node.told) throw new Violation(`${NAMES[at]!} forgot a term that it had told`);
    this.input(at, { kind: 'tick' });
  }

  /** The process ends. Of what was not durable so many frames are on disk all the same. */
  crash(at: number, kept: number): void {
    const node = this.own(at);
    node.disk = withFrames(node.disk, node.unwritten.slice(0, kept));
    node.state = undefined;
    node.unwritten = [];
    node.waiting = [];
    node.reached = [];
    node.order = undefined;
    node.crashes++;
    if (this.#bounds.areCrashesSeen) {
      for (const link of this.links) if (link.ends.includes(at)) this.breakLink(link);
    }
    this.links = withoutEnd(this.links, at);
  }

  /** What was appended is on disk. */
  write(at: number): void {
    const node = this.own(at);
    const last = node.unwritten.at(-1);
    if (last === undefined) return;
    node.disk = withFrames(node.disk, node.unwritten);
    node.unwritten = [];
    const end = endOf(last);
    if (node.state !== undefined && hasEntry(node.state, end))
      this.input(at, { kind: 'durable', index: end.index });
  }

  /** What stands first of what waits is durable. */
  finish(at: number): void {
    const node = this.own(at);
    const [first, ...rest] = node.waiting;
    node.waiting = rest;
    if (first !== undefined && isBarrier(first)) this.#makeDurable(at, first);
    this.#drain(at);
  }

  /** The first message on its way from a node over a link, or a later one. */
  deliver(link: LinkWorld, side: number, place = 0, stays = false): void {
    const { message } = link.queues[side]![place]!;
    if (!stays)
      this.links = withQueue(this.links, link, side, (queue) => queue.filter((_, at) => at !== place));
    this.input(link.ends[1 - side]!, { kind: 'message', link: link.id as LinkId, message });
  }

  drop(link: LinkWorld, side: number): void {
    this.links = withQueue(this.links, link, side, (queue) => queue.slice(1));
  }

  connect(one: number, other: number): void {
    const id = ++lastLink as LinkId;
    this.links = [...this.links, { id, ends: [one, other], isUp: [true, true], queues: [[], []] }];
    for (const [at, far] of [
      [one, other],
      [other, one],
    ] as const) {
      const isOutgoing = this.nodes[at]!.reached.includes(NAMES[far]!);
      const cluster = this.nodes[far]!.state?.cluster;
      this.input(at, { kind: 'link up', link: { id, ...peerOf(far), cluster, isOutgoing, fsync: 'always' } });
    }
  }

  breakLink(link: LinkWorld): void {
    this.links = this.links.filter(({ id }) => id !== link.id);
    for (const [side, at] of link.ends.entries()) {
      if (link.isUp[side] === true) this.input(at, { kind: 'link down', link: link.id as LinkId });
    }
  }

  #step(at: number, input: Input): void {
    const node = this.own(at);
    const { state } = node;
    if (state === undefined) return;
    const before = { term: state.term, commit: state.commit };
    let effects: Effect[];
    try {
      effects = step(state, input, NOW_MS, (at * 16 + node.crashes + 1) / 2 ** 28);
    } catch (error) {
      throw new Violation(`${NAMES[at]!} throws at a ${input.kind}: ${String(error)}`);
    }
    this.#checkOrder(node, state, effects);
    this.ghost = checkStepped(this.ghost, node, state, before);
    node.waiting = [...node.waiting, ...effects.filter((effect) => effect.kind !== 'event')];
    this.#drain(at);
  }

  #isAtBarrier(node: NodeWorld): boolean {
    const [first] = node.waiting;
    return this.#bounds.isDiskSlow && first !== undefined && isBarrier(first);
  }

  /** Those that the operator said are stopped must be; who is left out unheard is among them. */
  #checkOrder(node: OwnNode, state: ReplicaState, effects: readonly Effect[]): void {
    const { order } = node;
    if (order === undefined) return;
    const { office } = state;
    const leftOut = office.kind === 'primary' ? (office.promotion?.outcome.leftOut ?? []) : [];
    const answered = effects.flatMap((effect) =>
      effect.kind === 'answer' && 'leftOut' in effect.outcome ? effect.outcome.leftOut : [],
    );
    const down = [...(state.attempt?.down ?? []), ...[...leftOut, ...answered].map((peer) => peer.node)];
    const stopped = new Set(order.stopped);
    for (const name of down) {
      const other = NAMES.indexOf(name);
      if (this.nodes[other]!.state !== undefined) throw new Untruthful(name);
      stopped.add(other);
    }
    if (stopped.size !== order.stopped.length) node.order = { ...order, stopped: [...stopped].sort() };
  }

  #drain(at: number): void {
    const node = this.own(at);
    for (;;) {
      if (node.state === undefined || this.#isAtBarrier(node)) return;
      const [effect, ...rest] = node.waiting;
      if (effect === undefined) return;
      node.waiting = rest;
      if (effect.kind === 'persist' && rest[0]?.kind === 'persist') continue;
      const holdsUp = isBarrier(effect);
      if (holdsUp && this.#isChanged && this.#halted(at)) return;
      this.#isChanged = true;
      if (!holdsUp) this.#perform(node, effect);
      else {
        this.#makeDurable(at, effect);
        if (this.#halted(at)) return;
      }
    }
  }

  /** Whether the node crashes in this moment. */
  #halted(at: number): boolean {
    this.#isChanged = false;
    if (this.halts++ !== this.#haltAt) return false;
    this.spend('crashes');
    this.crash(at, 0);
    return true;
  }

  #makeDurable(at: number, barrier: Barrier): void {
    const node = this.own(at);
    // What is being appended comes first wherever the log itself is changed.
    if (barrier.kind === 'truncate' || barrier.kind === 'replace') this.write(at);
    if (barrier.kind === 'truncate')
      checkTruncated(this.ghost, node, cutBehind(node.disk, barrier.end.index));
    node.disk = afterBarrier(node.disk, barrier);
    if (barrier.kind === 'replace') this.input(at, { kind: 'replaced', end: barrier.end });
  }

  #perform(node: OwnNode, effect: Effect): void {
    const { at } = node;
    switch (effect.kind) {
      case 'send':
        this.#send(node, effect.link, effect.message);
        break;
      case 'close link': {
        const link = this.links.find(({ id }) => id === effect.link);
        if (link !== undefined) this.breakLink(link);
        break;
      }
      case 'append':
        this.#append(node, effect.frames);
        break;
      case 'commit':
        this.ghost = noteCommitted(this.ghost, node, effect.index);
        break;
      case 'feed': {
        const { peer, link, after } = effect;
        const frames = readBehind(logOf(node), node.disk.base, after, this.#bounds.oneByOne);
        this.input(at, { kind: 'fed', peer, link, after, frames });
        break;
      }
      case 'supply': {
        const { link, term, after } = effect;
        const frames = readBehind(logOf(node), node.disk.base, after, this.#bounds.oneByOne);
        this.input(at, { kind: 'supplied', link, term, after, frames });
        break;
      }
      case 'feed snapshot':
        this.#feedSnapshot(node, effect);
        break;
      case 'receive': {
        const { end, offset, isLast } = effect;
        this.input(at, { kind: 'received', end, offset: offset + effect.bytes.length, isWhole: isLast });
        break;
      }
      case 'reach':
        node.reached = effect.peers.map((peer) => peer.node);
        break;
      case 'answer':
        node.order = undefined;
        break;
      default:
      // Nobody in this world looks at it.
    }
  }

  #append(node: OwnNode, appended: readonly Frame[]): void {
    const known = appended.map(interned);
    for (const frame of known) {
      checkAppended(this.nodes, node, frame);
      const entry = controlEntryOf(frame);
      if (entry?.kind === 'open' && entry.lossAfter !== undefined)
        this.ghost = { ...this.ghost, isLossy: true };
    }
    node.unwritten = [...node.unwritten, ...known];
  }

  /** A snapshot of everything that is committed, in one part. */
  #feedSnapshot(node: OwnNode, effect: Extract<Effect, { kind: 'feed snapshot' }>): void {
    const commit = node.state?.commit ?? 0;
    const frame = logOf(node).find((each) => lastIndexOf(each) === commit);
    const end = frame === undefined ? node.disk.base : endOf(frame);
    const { peer, link } = effect;
    const bytes = Buffer.alloc(0);
    this.input(node.at, { kind: 'fed snapshot', peer, link, end, offset: 0, bytes, isLast: true });
  }

  #send(node: OwnNode, id: LinkId, message: Message): void {
    const link = this.links.find((each) => (each.id as LinkId) === id);
    const side = link?.ends.indexOf(node.at) ?? -1;
    if (link?.isUp[side] !== true) return;
    node.told = Math.max(node.told, message.term);
    // Who is not there any more is told nothing; and what does not fit is lost.
    if (link.isUp[1 - side] !== true || link.queues[side]!.length >= this.#bounds.inFlightMax) return;
    this.links = withQueue(this.links, link, side, (queue) => [...queue, { message }]);
  }

  #writePromptly(): boolean {
    if (!this.#bounds.isDiskPrompt) return false;
    const node = this.nodes.find(({ unwritten }) => unwritten.length > 0);
    if (node !== undefined) this.write(node.at);
    return node !== undefined;
  }

  /** Who asks somebody that does not run learns it. */
  #missPromptly(): boolean {
    if (!this.#bounds.areCrashesSeen) return false;
    for (const node of this.nodes) {
      const missed = missing(node, this.nodes)[0];
      if (missed === undefined) continue;
      this.input(node.at, { kind: 'unreachable', node: missed });
      return true;
    }
    return false;
  }

  #linkPromptly(): boolean {
    if (!this.#bounds.areLinksPrompt) return false;
    const [wanted] = wantedLinks(this.nodes, this.links);
    if (wanted !== undefined) this.connect(...wanted);
    return wanted !== undefined;
  }

  #deliverPromptly(): boolean {
    const { prompt } = this.#bounds;
    if (prompt.size === 0) return false;
    for (const link of this.links) {
      for (const side of [0, 1]) {
        const kind = link.queues[side]![0]?.message.kind;
        if (kind === undefined || !prompt.has(kind) || link.isUp[1 - side] !== true) continue;
        this.deliver(link, side);
        return true;
      }
    }
    return false;
  }

  order(at: number, order: Order): void {
    this.own(at).order = order;
  }
}
