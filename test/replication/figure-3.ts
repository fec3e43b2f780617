import { endOf, lastIndexOf } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { Violation } from '../sim/violation.js';

/** What figure 3 of the extended Raft paper guarantees at all times, held against everything that the nodes of a test do. */

/** As much of a node as the guarantees speak of. */
export interface Seen {
  readonly name: string;
  /** Counts its starts: after each it is another candidate. */
  readonly life: number;
  readonly term: number;
  readonly isPrimary: boolean;
  /** What its log follows. */
  readonly base: LogEnd;
  readonly log: readonly Frame[];
}

export class Figure3 {
  /** By term. */
  readonly #holders = new Map<number, string>();
  readonly #ends = new Map<string, LogEnd>();
  /** By index: which entry was committed there, and in whose term. */
  readonly #committed: ({ readonly name: string; readonly term: number } | undefined)[] = [];

  get committed(): number {
    return this.#committed.length - 1;
  }

  /** After each step of a node. */
  stepped(node: Seen): void {
    if (!node.isPrimary) return;
    const isNew = this.#electionSafety(node);
    if (isNew) this.#leaderCompleteness(node);
    this.#leaderAppendOnly(node);
  }

  /** At most one primary can be elected in a term. */
  #electionSafety({ name, life, term }: Seen): boolean {
    const holder = this.#holders.get(term);
    const who = `${name}, life ${String(life)}`;
    if (holder === who) return false;
    if (holder !== undefined) throw new Violation(`Election Safety: ${who} and ${holder} hold one term`);
    this.#holders.set(term, who);
    return true;
  }

  /** A primary never overwrites or deletes entries in its log; it only appends. */
  #leaderAppendOnly(node: Seen): void {
    const key = `${node.name}${String(node.life)}:${String(node.term)}`;
    const before = this.#ends.get(key);
    if (before !== undefined && before.index > node.base.index) {
      const kept = node.log.find((frame) => lastIndexOf(frame) === before.index);
      if (kept?.checksum !== before.checksum)
        throw new Violation(`Leader Append-Only: ${node.name} lost entry ${String(before.index)} of its log`);
    }
    const last = node.log.at(-1);
    this.#ends.set(key, last === undefined ? node.base : endOf(last));
  }

  /** If two logs have an entry with the same index and term, they are the same up to that entry. */
  logMatching(one: Seen, other: Seen): void {
    const others = new Map(other.log.map((frame) => [lastIndexOf(frame), frame]));
    const at = one.log.findLastIndex((frame) => others.get(lastIndexOf(frame))?.term === frame.term);
    for (const frame of one.log.slice(0, at + 1)) {
      const same = others.get(lastIndexOf(frame));
      if (same === undefined || nameOf(same) === nameOf(frame)) continue;
      const where = `${one.name} and ${other.name} differ at ${String(frame.firstIndex)}`;
      throw new Violation(`Log Matching: ${where}, and agree behind it`);
    }
  }

  /** What is committed in a term is in the logs of the primaries of all higher ones. */
  #leaderCompleteness({ name, term, base, log }: Seen): void {
    for (const [index, entry] of this.#committed.entries()) {
      if (entry === undefined || entry.term >= term || index <= base.index) continue;
      const own = log.find((frame) => lastIndexOf(frame) === index);
      if (own === undefined || nameOf(own) !== entry.name)
        throw new Violation(`Leader Completeness: ${name} is elected without entry ${String(index)}`);
    }
  }

  /** No two nodes apply different entries at one index. */
  applied({ name, term, log }: Seen, upTo: number): void {
    for (const frame of log) {
      const index = lastIndexOf(frame);
      if (index > upTo) return;
      const entry = this.#committed[index];
      if (entry === undefined) this.#committed[index] = { name: nameOf(frame), term };
      else if (entry.name !== nameOf(frame))
        throw new Violation(`State Machine Safety: ${name} applies another entry ${String(index)}`);
    }
  }
}

function nameOf(frame: Frame): string {
  const { term, index, checksum } = endOf(frame);
  return `${String(term)}.${String(index)}.${String(checksum)}`;
}
