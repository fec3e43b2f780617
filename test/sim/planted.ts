import type { Log, NodeStates } from '../../src/node/ports.js';
import { committable } from '../../src/replication/commit.js';
import { decidePromotion } from '../../src/replication/promotion.js';
import { RULES } from '../../src/replication/rules.js';
import type { ReplicationRules } from '../../src/replication/rules.js';
import type { Files } from '../../src/storage/files.js';

/** One defect, and where it is put in. */
export interface Planted {
  readonly name: string;
  readonly rules?: ReplicationRules;
  log?(log: Log): Log;
  states?(states: NodeStates): NodeStates;
  files?(files: Files): Files;
  /** How the schedules must be for it to matter. */
  readonly options?: PlantedOptions;
}

export interface PlantedOptions {
  readonly nodes?: number;
  readonly cutsPower?: boolean;
}

/** An append that resolves before its bytes are durable. What fails afterwards is never told. */
function appendEarly(log: Log): Log {
  let last: Promise<void> = Promise.resolve();
  let promised = log.end;
  return {
    get end() {
      return promised;
    },
    get appendedBytes() {
      return log.appendedBytes;
    },
    reserve: (frameBytes) => last.then(() => log.reserve(frameBytes)),
    append(frames) {
      const frame = frames.at(-1);
      if (frame === undefined) return Promise.resolve();
      const { term, checksum } = frame;
      promised = { term, checksum, index: (frame.firstIndex + frame.count - 1) as typeof promised.index };
      // Its own copy: the caller takes an appended frame to be free for other use.
      const copies = frames.map((each) => ({ ...each, bytes: Buffer.from(each.bytes) }));
      last = last.then(() => log.append(copies));
      last.catch(() => undefined);
      return Promise.resolve();
    },
    read: (after, bytesMax) => last.then(() => log.read(after, bytesMax)),
    truncate: (end) => last.then(() => log.truncate(end)).finally(() => (promised = log.end)),
    sync: () => last.then(() => log.sync()),
    removeUpTo: (index) => last.then(() => log.removeUpTo(index)),
  };
}

/** Saves everything but the term and the vote, which stay as they were first saved. */
function forgetVote(states: NodeStates): NodeStates {
  let kept: Pick<Parameters<NodeStates['saveState']>[0], 'term' | 'vote'> | undefined;
  return {
    saveState(state) {
      kept ??= { term: state.term, vote: state.vote };
      return states.saveState({ ...state, ...kept });
    },
  };
}

function skipDirectorySync(files: Files): Files {
  return { ...files, syncDirectory: () => Promise.resolve() };
}

/** Entries of earlier terms count like those of the current one. */
const COUNTING_OLD_TERMS: ReplicationRules = {
  ...RULES,
  committable: (open, durable) =>
    committable(
      open.map((range) => ({ ...range, isWhole: false })),
      durable,
    ),
};

/** Half is enough, whether those who answer were confirmed or not. */
const UNCONFIRMED_HALF: ReplicationRules = {
  ...RULES,
  decidePromotion: (candidate, answers, terms) =>
    decidePromotion(
      candidate,
      answers.map((answer) => ({ ...answer, isConfirmed: true })),
      terms,
    ),
};

/** Every defect that the simulator must find. The role that a log belongs to is decided where it is wrapped. */
export const PLANTED: readonly Planted[] = [
  { name: 'reply before fsync', log: appendEarly, options: { cutsPower: true } },
  { name: 'backup acknowledges before it is durable', log: appendEarly, options: { cutsPower: true } },
  { name: 'vote not persisted', states: forgetVote, options: { nodes: 3 } },
  { name: 'skipped directory fsync', files: skipDirectorySync, options: { cutsPower: true } },
  { name: 'old-term counting', rules: COUNTING_OLD_TERMS, options: { nodes: 5 } },
  { name: 'missing empty entry', rules: { ...RULES, opensTermFirst: false } },
  { name: 'position reuse', rules: { ...RULES, takesNewTerm: false }, options: { cutsPower: true } },
  { name: 'half without confirmation', rules: UNCONFIRMED_HALF, options: { nodes: 2 } },
  { name: 'lease forgotten over a restart', rules: { ...RULES, waitsAtStart: false }, options: { nodes: 3 } },
];
