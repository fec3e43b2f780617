import type { Goal } from './goals.js';
import type { Peer } from './peers.js';

/** What one round measured of one server, by the name of the metric. */
export type Sample = Readonly<Record<string, number>>;

export interface Metric {
  readonly name: string;
  readonly unit: string;
  /** Digits behind the point. */
  readonly digits: number;
  /** From this median on a figure says less than it seems to, and why. */
  readonly doubt?: { readonly from: number; readonly because: string };
}

/** One server, or what has to be made ready before it can be measured again and again. */
export interface Subject {
  measure(round: number): Promise<Sample>;
  close(): Promise<void>;
}

/** Somebody who does the work of a case: one server, or several that belong together. */
export interface Contender {
  readonly name: string;
  /** How it is started, for the report. */
  readonly settings: string;
  prepare(directory: string): Promise<Subject>;
}

/** The same work for every contender, this project first. */
export interface Case {
  readonly name: string;
  readonly contenders: readonly Contender[];
  readonly goals?: readonly Goal[];
}

/** The contenders of a case that one server of each kind takes part in. */
export function contendersOf(
  peers: readonly Peer[],
  settings: (peer: Peer) => string,
  prepare: (peer: Peer, directory: string) => Promise<Subject>,
): Contender[] {
  return peers.map((peer) => ({
    name: peer.name,
    settings: settings(peer),
    prepare: (directory) => prepare(peer, directory),
  }));
}

export interface Figure {
  readonly name: string;
  readonly title: string;
  /** What has to be known to read the table. */
  readonly notes: readonly string[];
  readonly metrics: readonly Metric[];
  readonly cases: readonly Case[];
  /** Only one round, in which all servers are measured at the same time: for what takes very long. */
  readonly isAtOnce?: boolean;
  /** Is left out unless it is asked for, since it takes very long. */
  readonly isOnRequest?: boolean;
}

/** What came of one case: for each contender the samples of all rounds, in their order. */
export interface CaseResult {
  readonly name: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly samples: Readonly<Record<string, readonly Sample[]>>;
  readonly goals: readonly Goal[];
}

export interface FigureResult extends Omit<Figure, 'cases' | 'isAtOnce' | 'isOnRequest'> {
  readonly rounds: number;
  readonly results: readonly CaseResult[];
}

export interface ComparisonOptions {
  readonly rounds: number;
  /** A directory for each server, which it may fill. */
  readonly directory: () => string;
  readonly progress: (text: string) => void;
}

/** Measures one case of a figure: in each round every contender once, and each round begins with another one. */
export async function runCase(
  figure: Figure,
  each: Case,
  { rounds, directory, progress }: ComparisonOptions,
): Promise<CaseResult> {
  const subjects = new Map<Contender, Subject>();
  const samples: Record<string, Sample[]> = {};
  try {
    for (const contender of each.contenders) {
      progress(`${figure.name}, ${each.name}: preparing ${contender.name}`);
      subjects.set(contender, await contender.prepare(directory()));
      samples[contender.name] = [];
    }
    const measure = async ([{ name }, subject]: [Contender, Subject], round: number): Promise<void> => {
      progress(`${figure.name}, ${each.name}: round ${String(round + 1)} of ${name}`);
      samples[name]?.push(await subject.measure(round));
    };
    if (figure.isAtOnce === true) {
      await Promise.all([...subjects].map((subject) => measure(subject, 0)));
    } else {
      for (let round = 0; round < rounds; round++) {
        for (const subject of inTurn([...subjects], round)) await measure(subject, round);
      }
    }
  } finally {
    for (const subject of subjects.values()) await subject.close();
  }
  const settings = Object.fromEntries(each.contenders.map((one) => [one.name, one.settings]));
  return { name: each.name, settings, samples, goals: each.goals ?? [] };
}

/** The same items, from another one on in each round. */
export function inTurn<T>(items: readonly T[], round: number): T[] {
  const from = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(from), ...items.slice(0, from)];
}
