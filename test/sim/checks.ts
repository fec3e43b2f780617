import type { Position, Term } from '../../src/engine.js';
import { controlEntryOf } from '../../src/log/control.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { comparePositions, showPosition, termCount } from '../../src/log/term.js';
import type { Message } from '../../src/replication/message.js';
import { framesOf } from './copy-message.js';
import { FirstEntry } from './first-entry.js';
import { LogMirror, entriesOf } from './log-mirror.js';
import type { MirroredEntry } from './log-mirror.js';
import type { Inspection, LogWatcher } from './sim-node.js';
import { isSameState, showState } from './states.js';
import { Violation } from './violation.js';

/** A promotion for which the operator accepted that what lies behind `after` is lost. */
interface Loss {
  readonly term: Term;
  readonly after: Position;
}

type Known = Pick<MirroredEntry, 'index' | 'term' | 'checksum'> & {
  /** It was committed by a side that had given up data: nothing is promised of it. */
  readonly isAfterLoss?: boolean;
};

const HALTS = 'this node answers nothing more: ';
const STATE_IS_WRONG = `${HALTS}the state of this node`;

/** What is known of one node over all its lives. */
class Watched {
  readonly log = new LogMirror();
  readonly firstEntry = new FirstEntry();
  readonly name: string;
  /** Of the life that runs. */
  seen: Inspection | undefined;
  /** The highest term that it has told anybody. A term that was told is not forgotten. */
  toldTerm = 0;
  /** Entries up to here were held against what is known to be committed. */
  checkedIndex = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/**
 * What must hold at every moment, whatever fails. Each check throws a {@link Violation}.
 *
 * A loss that an operator accepted excuses what follows from it, and no more.
 */
export class Checks {
  /** The first one. */
  violation: Violation | undefined;
  readonly #nodes = new Map<string, Watched>();
  /** By index and term, the frame of every entry that anybody ever wrote or sent. */
  readonly #written = new Map<string, Known & { isSent: boolean }>();
  /** By index, every entry that was ever committed: one, unless a loss was accepted. */
  readonly #committed = new Map<number, Known[]>();
  readonly #serving = new Map<Term, string>();
  /** By position, the state of the map there. */
  readonly #states = new Map<string, ReadonlyMap<string, string>>();
  readonly #losses: Loss[] = [];
  /** A primary with which nothing is wrong. */
  #settled: { readonly name: string; readonly term: Term } | undefined;
  readonly #comparesStates: boolean;
  /** Where each unique value, and each tag of a delete, stands: known once anybody wrote it. */
  readonly #places = new Map<string, Known[]>();
  /** By key, the positions at which it was deleted. */
  readonly #deletions = new Map<string, Known[]>();

  /** How often a node said what its state was, for another one to compare. */
  statesReported = 0;

  /** @param comparesStates - whether states are held against each other here, and not by the nodes alone. */
  constructor(comparesStates = true) {
    this.#comparesStates = comparesStates;
  }

  /** Whether an operator gave up data in this run. */
  get hasLoss(): boolean {
    return this.#losses.length > 0;
  }

  watcher(name: string): LogWatcher {
    const node = this.#node(name);
    return {
      opened: (base, frames) => {
        this.#opened(node, base, frames);
      },
      appending: (frames) => {
        for (const frame of frames) this.#append(node, frame);
      },
      notAppended: (frames) => {
        this.#takeBack(node, frames);
      },
      truncating: (end) => {
        this.#truncating(node, end);
      },
      truncated: (end) => {
        node.log.cut(end.index);
        node.checkedIndex = Math.min(node.checkedIndex, end.index);
      },
      replacing: (end) => {
        this.#replacing(node, end);
      },
    };
  }

  /** A node told another one something. */
  sent(name: string, message: Message): void {
    const node = this.#node(name);
    node.toldTerm = Math.max(node.toldTerm, message.term);
    if (message.kind === 'state checksum') this.statesReported++;
    for (const frame of framesOf(message)) {
      for (const entry of entriesOf(frame)) this.#register(name, entry).isSent = true;
    }
  }

  /** A node's process is gone. */
  ended(name: string): void {
    this.#node(name).seen = undefined;
  }

  /** A client was told that a write with this unique value, or a delete with this tag, is done. */
  acknowledged(name: string, value: string): void {
    const log = this.#node(name).log;
    const place = this.#places.get(value)?.find((each) => isSame(log.at(each.index), each));
    // It was acknowledged long ago, and its entry made place for a snapshot since.
    if (place === undefined && this.#places.has(value)) return;
    if (place === undefined) throw this.#violated(`${name} acknowledged ${value}, which stands in no log`);
    this.#commit(name, place);
  }

  /**
   * The earliest position, from `from` on, at which a key can have had this value, or none; a position before `from` when it was only
   * ever so before. Undefined when it never was.
   */
  placeOf(key: string, value: string | null, from: number): number | undefined {
    if (value !== null) {
      const places = this.#places.get(value) ?? [];
      // What was sent again stands in the log more than once, and was applied where it stands first.
      const first = places.find((place) =>
        this.#committed.get(place.index)?.some((each) => isSame(each, place)),
      );
      return (first ?? places.at(-1))?.index;
    }
    const deletions = this.#deletions.get(key)?.map(({ index }) => index) ?? [];
    // Before its first put a key has no value either.
    return from === 0 ? 0 : deletions.filter((index) => index >= from).sort((a, b) => a - b)[0];
  }

  /** From here on nothing of before is promised any more: an operator put an old copy in its place. */
  forgive(): void {
    this.#losses.push({ term: 0 as Term, after: { term: 0 as Term, index: 0 as Position['index'] } });
    this.#written.clear();
    this.#serving.clear();
    for (const node of this.#nodes.values()) node.toldTerm = 0;
  }

  /** A node says so that its state is another one than that of the others: they are never wrong about it. */
  halted(name: string, event: string): void {
    if (event.startsWith(STATE_IS_WRONG))
      this.#violated(`${name} answers nothing more: ${event.slice(HALTS.length)}`);
  }

  /** A violation that something else found. */
  report(message: string): void {
    this.#violated(message);
  }

  /** From here on nothing happens that could be a reason for this node to give up its office. */
  staysInOffice(name: string): void {
    const now = this.#node(name).seen;
    if (now !== undefined) this.#settled = { name, term: now.term };
  }

  /** Looks at a node after it ran. */
  step(name: string, now: Inspection, content: () => ReadonlyMap<string, string> | undefined): void {
    const node = this.#node(name);
    const before = node.seen;
    node.seen = now;
    const termBefore = before?.term ?? node.toldTerm;
    if (now.term < termBefore) {
      throw this.#violated(`the term of ${name} went back from ${show(termBefore)} to ${show(now.term)}`);
    }
    if (before !== undefined && now.commit < before.commit && !this.hasLoss) {
      throw this.#violated(
        `the commit of ${name} went back from ${String(before.commit)} to ${String(now.commit)}`,
      );
    }
    if (now.applied > now.commit)
      throw this.#violated(`${name} applied ${String(now.applied)} behind its commit`);
    this.#checkOffice(node, now);
    if (node.firstEntry.isPassedOver(now))
      throw this.#violated(`${name} changes who takes part before the first entry of its term is committed`);
    this.#checkServing(node, before, now);
    this.#checkCommitted(node, now);
    if (now.applied !== before?.applied) this.#checkState(node, now.applied, content);
  }

  #checkOffice({ name }: Watched, { role, service, term }: Inspection): void {
    if (this.#settled?.name !== name) return;
    if (role === 'primary' && service === 'serving' && term === this.#settled.term) return;
    const was = show(this.#settled.term);
    throw this.#violated(
      `${name} works as primary of term ${was}, and was forced out: it is ${role}, ${service}, of term ${show(term)}`,
    );
  }

  #checkServing(node: Watched, before: Inspection | undefined, now: Inspection): void {
    if (now.role !== 'primary' || now.service !== 'serving') return;
    const other = this.#serving.get(now.term);
    if (other !== undefined && other !== node.name) {
      throw this.#violated(`${node.name} and ${other} both serve as primary of term ${show(now.term)}`);
    }
    this.#serving.set(now.term, node.name);
    if (before?.service === 'serving' && before.term === now.term) return;
    for (const [index, entries] of this.#committed) {
      if (index <= node.log.base.index) continue;
      const own = node.log.at(index);
      // The others have it durably, and here it waits for room on the disk.
      if (own === undefined && index > node.log.lastIndex && index <= now.last.index) continue;
      const lost = entries.find((entry) => entry.term <= now.term && !isSame(own, entry));
      if (lost === undefined || lost.isAfterLoss === true || this.#isExcused(lost)) continue;
      throw this.#violated(`${node.name} serves in term ${show(now.term)} without ${showKnown(lost)}`);
    }
  }

  #checkCommitted(node: Watched, now: Inspection): void {
    const { log } = node;
    for (let index = node.checkedIndex + 1; index <= now.commit; index++) {
      const entry = log.at(index);
      if (entry === undefined) {
        if (index <= log.base.index) continue;
        // Others have it durably, and here it waits to be written.
        node.checkedIndex = Math.max(node.checkedIndex, index - 1);
        return;
      }
      this.#commit(node.name, entry);
    }
    node.checkedIndex = Math.max(node.checkedIndex, now.commit);
  }

  #checkState(node: Watched, applied: number, content: () => ReadonlyMap<string, string> | undefined): void {
    const last = applied === node.log.base.index ? node.log.base : node.log.at(applied);
    const pairs = last && content();
    if (pairs === undefined || !this.#comparesStates) return;
    const place = `${String(last?.checksum)}:${String(applied)}`;
    const other = this.#states.get(place);
    if (other === undefined) this.#states.set(place, pairs);
    else if (!isSameState(other, pairs)) {
      throw this.#violated(
        `the state of ${node.name} at ${String(applied)} is ${showState(pairs)}, and elsewhere it was ${showState(other)}`,
      );
    }
  }

  /** From now on this entry is known to be committed. */
  #commit(name: string, entry: Known): void {
    const known = this.#committed.get(entry.index) ?? [];
    if (known.some((each) => isSame(each, entry))) return;
    // Once a loss was accepted, two sides may each go on with what they have.
    const other =
      this.hasLoss || this.#isExcused(entry) ? undefined : known.find((each) => !this.#isExcused(each));
    if (other !== undefined) {
      throw this.#violated(`${name} has ${showKnown(entry)} committed, and it was ${showKnown(other)}`);
    }
    const { index, term, checksum } = entry;
    this.#committed.set(index, [...known, { index, term, checksum, isAfterLoss: this.hasLoss }]);
  }

  #opened(node: Watched, base: LogEnd, frames: readonly Frame[]): void {
    node.log.restart(base);
    node.checkedIndex = 0;
    this.#checkBase(node, base);
    for (const frame of frames) this.#append(node, frame);
  }

  #replacing(node: Watched, end: LogEnd): void {
    node.log.restart(end);
    node.checkedIndex = end.index;
    this.#checkBase(node, end);
  }

  /** A snapshot holds nothing but what is committed. */
  #checkBase(node: Watched, base: LogEnd): void {
    const known = this.#committed.get(base.index);
    if (known === undefined || known.some(({ checksum }) => checksum === base.checksum)) return;
    throw this.#violated(`${node.name} has a snapshot of ${showPosition(base)}, which nobody committed`);
  }

  #append(node: Watched, frame: Frame): void {
    const { log } = node;
    if (frame.firstIndex !== log.lastIndex + 1) {
      throw this.#violated(
        `${node.name} appends ${String(frame.firstIndex)} behind ${String(log.lastIndex)}`,
      );
    }
    const previous = log.at(log.lastIndex)?.checksum ?? log.base.checksum;
    if (frame.previous !== previous) {
      throw this.#violated(
        `${node.name} appends ${String(frame.firstIndex)} to a log that it does not follow`,
      );
    }
    const entries = entriesOf(frame);
    for (const entry of entries) this.#register(node.name, entry);
    log.add(entries);
    const control = controlEntryOf(frame);
    node.firstEntry.appended(frame, control);
    if (control?.kind === 'open' && control.lossAfter !== undefined) {
      const { term } = frame;
      const isKnown = this.#losses.some((loss) => loss.term === term);
      if (!isKnown) this.#losses.push({ term, after: control.lossAfter });
    }
  }

  /** Log matching: one position, one content, for all time. */
  #register(name: string, entry: MirroredEntry): { isSent: boolean } {
    const place = `${String(entry.term)}:${String(entry.index)}`;
    const known = this.#written.get(place);
    if (known !== undefined) {
      if (known.checksum === entry.checksum) return known;
      throw this.#violated(`${name} has other bytes at ${showKnown(entry)} than were written there before`);
    }
    const { index, term, checksum, puts, deletes } = entry;
    const added = { index, term, checksum, isSent: false };
    this.#written.set(place, added);
    for (const [, value] of puts) addTo(this.#places, value, added);
    for (const key of deletes) {
      addTo(this.#places, key, added);
      addTo(this.#deletions, key, added);
    }
    return added;
  }

  /** Nothing was written: the position is free for other bytes, unless somebody was sent these. */
  #takeBack(node: Watched, frames: readonly Frame[]): void {
    for (const entry of frames.flatMap(entriesOf)) {
      const place = `${String(entry.term)}:${String(entry.index)}`;
      if (this.#written.get(place)?.isSent === false) this.#written.delete(place);
    }
    const [first] = frames;
    if (first !== undefined) node.log.cut(first.firstIndex - 1);
  }

  #truncating(node: Watched, end: LogEnd): void {
    for (const entry of node.log.entries) {
      if (entry.index <= end.index) continue;
      const committed = this.#committed.get(entry.index)?.find((each) => isSame(each, entry));
      if (committed === undefined || this.#isExcused(committed)) continue;
      throw this.#violated(`${node.name} truncates ${showKnown(entry)}, which is committed`);
    }
  }

  /**
   * Whether an entry may be missing somewhere. Behind the position up to which the data was known nothing is promised any more: who
   * was left out without knowing it may come back as a majority of the members that it knows.
   */
  #isExcused(entry: Known): boolean {
    return this.#losses.some(({ after }) => entry.index > after.index || comparePositions(entry, after) > 0);
  }

  /** Kept here, because whoever it is thrown at may take it for a failure of its disk. */
  #violated(message: string): Violation {
    this.violation ??= new Violation(message);
    return this.violation;
  }

  #node(name: string): Watched {
    let node = this.#nodes.get(name);
    if (node === undefined) this.#nodes.set(name, (node = new Watched(name)));
    return node;
  }
}

function isSame(
  a: { readonly term: Term; readonly checksum: number } | undefined,
  b: { readonly term: Term; readonly checksum: number },
): boolean {
  return a?.term === b.term && a.checksum === b.checksum;
}

function addTo<K>(map: Map<K, Known[]>, key: K, item: Known): void {
  const items = map.get(key);
  if (items === undefined) map.set(key, [item]);
  else items.push(item);
}

function show(term: number): string {
  return `${String(termCount(term as Term))} (${String(term)})`;
}

function showKnown(entry: Known): string {
  return `entry ${String(entry.index)} of term ${show(entry.term)}`;
}
