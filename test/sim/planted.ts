import type { Log, NodeStates } from '../../src/node/ports.js';
import { RULES } from '../../src/replication/rules.js';
import type { ReplicationRules } from '../../src/replication/rules.js';
import type { Files } from '../../src/storage/files.js';
import type { Plan } from './plan.js';
import { runSeeds } from './seeds.js';
import type { Campaign } from './seeds.js';
import type { StartNode } from './sim-node.js';

/** One defect, and where it is put in. */
export interface Planted {
  readonly name: string;
  readonly rules?: Partial<ReplicationRules>;
  /** `isPrimary` says what the node is at that moment. */
  log?(log: Log, isPrimary: () => boolean): Log;
  /** `log` is the log without the defect. */
  states?(states: NodeStates, log: () => Log | undefined): NodeStates;
  files?(files: Files): Files;
  /** How the schedules must be for it to matter. */
  readonly plan?: Partial<Plan>;
}

/** While it is on, an append resolves before its bytes are durable. What fails afterwards is never told. */
function appendEarly(log: Log, isOn: () => boolean): Log {
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
      return isOn() ? Promise.resolve() : last;
    },
    read: (after, bytesMax) => last.then(() => log.read(after, bytesMax)),
    truncate: (end) => last.then(() => log.truncate(end)).finally(() => (promised = log.end)),
    sync: () => last.then(() => log.sync()),
    removeUpTo: (index) => last.then(() => log.removeUpTo(index)),
  };
}

/** A node whose log is behind what it believes claims no more than what is there: storage would stop it otherwise. */
function claimWhatIsThere(states: NodeStates, log: () => Log | undefined): NodeStates {
  return {
    saveState(state) {
      const there = log()?.end.index ?? state.commit;
      const atMost = (index: typeof there): typeof there => (index < there ? index : there);
      const logIndex = state.logIndex === undefined ? undefined : atMost(state.logIndex);
      return states.saveState({ ...state, logIndex, commit: atMost(state.commit) });
    },
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

/** Entries of earlier terms are counted by themselves, and not only with the opening of the current one. */
const countOldTerms: ReplicationRules['committable'] = (open, durable) =>
  RULES.committable(
    open.map((range) => ({ ...range, isWhole: false })),
    durable,
  );

const takeAnyHalf: ReplicationRules['decidePromotion'] = (candidate, answers, terms) => {
  const confirmed = answers.map((answer) => ({ ...answer, isConfirmed: true }));
  return RULES.decidePromotion(candidate, confirmed, terms);
};

/** Without a power cut, what was written is not lost. */
const POWER_CUTS: Partial<Plan> = {
  fsync: 'always',
  faults: { kinds: ['power cut', 'kill', 'slow disk', 'isolate'], pauseMsMax: 3000, downMsMax: 3000 },
};

/** A primary that is cut off and still reads, and voters that come back at once and are asked at once. */
const RESTARTED_VOTERS: Partial<Plan> = {
  nodes: 3,
  fsync: 'always',
  clients: 3,
  clientOptions: { keys: ['a'], thinkMsMax: 150, valueBytesMax: 1 },
  faults: { kinds: ['kill', 'isolate', 'kill'], pauseMsMax: 1500, downMsMax: 100 },
  operatorPauseMsMax: 600,
};

/** Every defect that the simulator must find. */
export const PLANTED: readonly Planted[] = [
  {
    name: 'reply before fsync',
    log: (log, isPrimary) => appendEarly(log, isPrimary),
    states: claimWhatIsThere,
    plan: { ...POWER_CUTS, acks: '0' },
  },
  {
    name: 'backup acknowledges before it is durable',
    log: (log, isPrimary) => appendEarly(log, () => !isPrimary()),
    states: claimWhatIsThere,
    plan: POWER_CUTS,
  },
  { name: 'vote not persisted', states: forgetVote, plan: { nodes: 3 } },
  { name: 'skipped directory fsync', files: skipDirectorySync, plan: POWER_CUTS },
  { name: 'old-term counting', rules: { committable: countOldTerms }, plan: { nodes: 5 } },
  { name: 'missing empty entry', rules: { opensTermFirst: false } },
  { name: 'position reuse', rules: { takesNewTerm: false }, plan: POWER_CUTS },
  { name: 'half without confirmation', rules: { decidePromotion: takeAnyHalf }, plan: { nodes: 2 } },
  { name: 'lease forgotten over a restart', rules: { waitsAtStart: false }, plan: RESTARTED_VOTERS },
];

/** Runs seeds with a defect until a check finds it, or `seedsMax` have found nothing. */
export function findPlanted(planted: Planted, startNode: StartNode, seedsMax: number): Promise<Campaign> {
  return runSeeds(1, seedsMax, { startNode, planted, plan: planted.plan ?? {} });
}
