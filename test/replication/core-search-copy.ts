import type {
  Attempt,
  BackupOffice,
  PrimaryOffice,
  Progress,
  ReplicaState,
} from '../../src/replication/state.js';

/** Copies of what a node knows, as cheap as they can be: what `step` replaces and never changes is shared. */

/**
 * A copy that a step may change.
 *
 * @param passedMs - so long ago is now what was just now: every time in the copy is earlier by this.
 */
export function copyState(state: ReplicaState, passedMs = 0): ReplicaState {
  return {
    rules: state.rules,
    timing: state.timing,
    windows: state.windows,
    self: state.self,
    fsync: state.fsync,
    address: state.address,
    cluster: state.cluster,
    role: state.role,
    term: state.term,
    vote: state.vote,
    leftOutAt: state.leftOutAt,
    configurations: state.configurations,
    lastPrimary: state.lastPrimary,
    last: state.last,
    spans: [...state.spans],
    ends: [...state.ends],
    durable: state.durable,
    commit: state.commit,
    isConfirmed: state.isConfirmed,
    office:
      state.office.kind === 'primary'
        ? copyOffice(state.office, passedMs)
        : copyBackup(state.office, passedMs),
    attempt: state.attempt && copyAttempt(state.attempt, passedMs),
    attempts: state.attempts,
    wantsPlace: state.wantsPlace,
    askAtMs: state.askAtMs - passedMs,
    leaseUntilMs: state.leaseUntilMs - passedMs,
    leaseHolder: state.leaseHolder,
    patienceMs: state.patienceMs,
    votedMs: state.votedMs - passedMs,
    tickedMs: state.tickedMs - passedMs,
    awakeFromMs: state.awakeFromMs - passedMs,
    trustedFromMs: state.trustedFromMs - passedMs,
    links: new Map(state.links),
    reached: state.reached,
    arrival: state.arrival && { ...state.arrival },
    isReplacing: state.isReplacing,
    stateReports: state.stateReports,
    divergence: state.divergence,
    lossAccepted: state.lossAccepted,
    contradicted: state.contradicted && {
      ...state.contradicted,
      sinceMs: state.contradicted.sinceMs - passedMs,
    },
    refused: mapped(state.refused, (toldMs) => toldMs - passedMs),
  };
}

function copyBackup(office: BackupOffice, passedMs: number): BackupOffice {
  return {
    kind: 'backup',
    primary: office.primary,
    isPrimaryServing: office.isPrimaryServing,
    heardMs: office.heardMs - passedMs,
    isSilent: office.isSilent,
    hasAsked: office.hasAsked,
    matched: office.matched,
    verified: office.verified,
    link: office.link,
    primaryLast: office.primaryLast,
    wantsSnapshot: office.wantsSnapshot,
    freshness: office.freshness.map((each) => ({ ...each, asOfMs: each.asOfMs - passedMs })),
  };
}

function copyOffice(office: PrimaryOffice, passedMs: number): PrimaryOffice {
  const { pending, handOver, leave, promotion, checks } = office;
  return {
    kind: 'primary',
    opening: office.opening,
    isServing: office.isServing,
    progress: mapped(office.progress, (progress) => copyProgress(progress, passedMs)),
    ranges: [...office.ranges],
    pending: pending && { ...pending, deadlineMs: pending.deadlineMs - passedMs },
    leaving: mapped(office.leaving, (leaving) => ({
      ...leaving,
      deadlineMs: leaving.deadlineMs - passedMs,
      toldMs: leaving.toldMs - passedMs,
    })),
    needs: office.needs,
    round: office.round,
    roundsMs: mapped(office.roundsMs, (sentMs) => sentMs - passedMs),
    heartbeatDueMs: office.heartbeatDueMs - passedMs,
    handOver: handOver && { ...handOver, untilMs: handOver.untilMs - passedMs },
    leave: leave && {
      ...leave,
      untilMs: leave.untilMs - passedMs,
      askedMs: leave.askedMs - passedMs,
      asked: new Set(leave.asked),
    },
    promotion: promotion && { ...promotion, deadlineMs: promotion.deadlineMs - passedMs },
    checks: {
      reports: new Map(checks.reports),
      undecided: checks.undecided.map((each) => ({ ...each, sinceMs: each.sinceMs - passedMs })),
      differing: new Map(checks.differing),
      remindedMs: checks.remindedMs - passedMs,
    },
  };
}

function copyProgress(progress: Progress, passedMs: number): Progress {
  return {
    peer: progress.peer,
    link: progress.link,
    state: progress.state,
    match: progress.match,
    matchBefore: progress.matchBefore,
    next: progress.next,
    inFlight: [...progress.inFlight],
    inFlightBytes: progress.inFlightBytes,
    isReading: progress.isReading,
    isCounted: progress.isCounted,
    hasForgotten: progress.hasForgotten,
    heardMs: progress.heardMs - passedMs,
    wasHeard: progress.wasHeard,
    isSilent: progress.isSilent,
    isUnreachable: progress.isUnreachable,
    askedMs: progress.askedMs - passedMs,
    leaseFromMs: progress.leaseFromMs - passedMs,
    leaseMs: progress.leaseMs,
    // By the clock of the other one.
    echoMs: progress.echoMs,
    commitOwedMs: progress.commitOwedMs && progress.commitOwedMs - passedMs,
    answeredRound: progress.answeredRound,
    probe: progress.probe,
    snapshot: progress.snapshot && { ...progress.snapshot },
  };
}

function copyAttempt(attempt: Attempt, passedMs: number): Attempt {
  return {
    number: attempt.number,
    purpose: attempt.purpose,
    own: attempt.own,
    phase: attempt.phase,
    startedMs: attempt.startedMs - passedMs,
    phaseMs: attempt.phaseMs - passedMs,
    askedMs: attempt.askedMs - passedMs,
    peers: new Map(attempt.peers),
    unreachable: new Set(attempt.unreachable),
    surveyed: new Map(attempt.surveyed),
    fenced: new Map(attempt.fenced),
    down: new Set(attempt.down),
    handOverFrom: attempt.handOverFrom,
    term: attempt.term,
    grant: attempt.grant,
    source: attempt.source,
    tries: attempt.tries,
  };
}

function mapped<K, V>(map: ReadonlyMap<K, V>, copy: (value: V) => V): Map<K, V> {
  const copies = new Map<K, V>();
  for (const [key, value] of map) copies.set(key, copy(value));
  return copies;
}
