import { createHash } from 'node:crypto';
import type { Random } from '../random.js';
import { blockEnds } from './disk-state.js';
import type { DirectoryState, Fate, Stretch } from './disk-state.js';
import { MemoryDisk } from './memory-files.js';

/** Which way each of the things that chance decides goes, in the order in which it decides them. */
type Choices = readonly number[];

/** What is chosen where nothing was said: that nothing, or all, of what was not synced is left. */
type Otherwise = 'nothing' | 'all';

/**
 * Chance by choices: names are as they were at one of the moments since they were synced, writes are absent, there, or
 * cut at a bound of two blocks with what stands before it or what stands behind it missing.
 */
class ChosenFate implements Fate {
  readonly taken: number[] = [];
  /** How many ways there were for each choice that was taken. */
  readonly ways: number[] = [];
  readonly #choices: Choices;
  readonly #otherwise: Otherwise;

  constructor(choices: Choices, otherwise: Otherwise) {
    this.#choices = choices;
    this.#otherwise = otherwise;
  }

  name(path: string, changes: number): number {
    return isLock(path) ? changes : this.#choose(changes + 1);
  }

  truncation(path: string): boolean {
    return isLock(path) || this.#choose(2) === 1;
  }

  write(path: string, position: number, length: number): Stretch[] {
    if (isLock(path)) return [{ from: 0, to: length }];
    const bounds = blockEnds(position, length).slice(0, -1);
    const torn = bounds.flatMap((bound) => [
      { from: 0, to: bound },
      { from: bound, to: length },
    ]);
    const ways: (Stretch | undefined)[] = [undefined, ...torn, { from: 0, to: length }];
    const left = ways[this.#choose(ways.length)];
    return left === undefined ? [] : [left];
  }

  #choose(ways: number): number {
    const given = this.#choices[this.taken.length] ?? (this.#otherwise === 'nothing' ? 0 : ways - 1);
    const choice = Math.min(given, ways - 1);
    this.taken.push(choice);
    this.ways.push(ways);
    return choice;
  }
}

/** The kernel keeps it, and what it holds is for people. */
function isLock(path: string): boolean {
  return path.endsWith('/lock');
}

export interface PowerCuts {
  /** Whether these are all the states that there can be. */
  readonly isComplete: boolean;
  /** The first one is what a crash of the process alone leaves. */
  readonly disks: readonly MemoryDisk[];
}

/**
 * What a power cut at this moment may leave: every combination while there are no more than `statesMax`, else that many of
 * them, those with one thing gone another way than all the others before those that are drawn.
 */
export function afterPowerCuts(state: DirectoryState, statesMax: number, random: Random): PowerCuts {
  const made = new Map<string, MemoryDisk>();
  const make = (choices: Choices, otherwise: Otherwise): ChosenFate => {
    const fate = new ChosenFate(choices, otherwise);
    const disk = MemoryDisk.afterPowerCut(state, fate);
    const key = fate.taken.join();
    if (!made.has(key)) made.set(key, disk);
    return fate;
  };
  const whole = make([], 'all');
  let next: number[] | undefined = [];
  while (next !== undefined && made.size <= statesMax) {
    const { taken, ways } = make(next, 'nothing');
    const at = taken.findLastIndex((choice, place) => choice + 1 < (ways[place] ?? 0));
    next = at === -1 ? undefined : [...taken.slice(0, at), (taken[at] ?? 0) + 1];
  }
  if (next === undefined) return { isComplete: true, disks: [...made.values()] };
  made.clear();
  make([], 'all');
  const none = make([], 'nothing');
  for (const [otherwise, { taken, ways }] of [
    ['all', whole],
    ['nothing', none],
  ] as const) {
    for (const at of drawn([...taken.keys()], statesMax >> 2, random)) {
      const other = ((taken[at] ?? 0) + 1 + random.below((ways[at] ?? 2) - 1)) % (ways[at] ?? 2);
      make([...taken.slice(0, at), other, ...taken.slice(at + 1)], otherwise);
    }
  }
  for (let tries = 0; made.size < statesMax && tries < 2 * statesMax; tries++) {
    make(
      whole.ways.map((ways) => random.below(ways)),
      random.pick(['all', 'nothing']),
    );
  }
  return { isComplete: false, disks: [...made.values()].slice(0, statesMax) };
}

/** That many of the items, or all of them, in no order. */
function drawn<T>(items: readonly T[], count: number, random: Random): T[] {
  const left = [...items];
  while (left.length > count) left.splice(random.below(left.length), 1);
  return left;
}

/** The same for disks that hold the same. */
export function digestOf(disk: MemoryDisk): string {
  const hash = createHash('sha1');
  for (const [file, content] of [...disk.image()].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${file}:${String(content.length)}:`).update(content);
  }
  return hash.digest('base64');
}
