import type { Peer } from './peers.js';

/** What one round measured of one server, by the name of the metric. */
export type Sample = Readonly<Record<string, number>>;

export interface Metric {
  readonly name: string;
  readonly unit: string;
  /** Digits behind the point. */
  readonly digits: number;
}

/** One server, or what has to be made ready before it can be measured again and again. */
export interface Subject {
  measure(round: number): Promise<Sample>;
  close(): Promise<void>;
}

/** The same work for every kind of server. */
export interface Case {
  readonly name: string;
  prepare(peer: Peer, directory: string): Promise<Subject>;
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
}

/** What came of one case: for each kind of server the samples of all rounds, in their order. */
export interface CaseResult {
  readonly name: string;
  readonly samples: Readonly<Record<string, readonly Sample[]>>;
}

export interface FigureResult extends Omit<Figure, 'cases' | 'isAtOnce'> {
  readonly rounds: number;
  readonly results: readonly CaseResult[];
}

export interface ComparisonOptions {
  readonly peers: readonly Peer[];
  readonly rounds: number;
  /** A directory for each server, which it may fill. */
  readonly directory: () => string;
  readonly progress: (text: string) => void;
}

/** Measures one case of a figure: in each round every kind of server once, and each round begins with another one. */
export async function runCase(
  figure: Figure,
  each: Case,
  { peers, rounds, directory, progress }: ComparisonOptions,
): Promise<CaseResult> {
  const subjects = new Map<Peer, Subject>();
  const samples: Record<string, Sample[]> = {};
  try {
    for (const peer of peers) {
      progress(`${figure.name}, ${each.name}: preparing ${peer.name}`);
      subjects.set(peer, await each.prepare(peer, directory()));
      samples[peer.name] = [];
    }
    const measure = async ([peer, subject]: [Peer, Subject], round: number): Promise<void> => {
      progress(`${figure.name}, ${each.name}: round ${String(round + 1)} of ${peer.name}`);
      samples[peer.name]?.push(await subject.measure(round));
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
  return { name: each.name, samples };
}

/** The same items, from another one on in each round. */
export function inTurn<T>(items: readonly T[], round: number): T[] {
  const from = items.length === 0 ? 0 : round % items.length;
  return [...items.slice(from), ...items.slice(0, from)];
}
