import type { FailoverPolicy, Index } from '../engine.js';
import { newest } from './membership.js';
import type { Configurations } from './membership.js';
import type { ReplicaState } from './state.js';
import type { AutomaticTiming, Timing } from './timing.js';

/** How fast things go: slower where a person makes another primary, faster where the members do. */

/** Whether the members make their own primary when they hear none. */
export function isAutomatic({ configurations }: ReplicaState): boolean {
  return configurations !== undefined && newest(configurations).failover === 'auto';
}

export function paceOf(
  state: ReplicaState,
): Pick<AutomaticTiming, 'heartbeatMs' | 'answerMs' | 'resendMs' | 'leaseMs'> {
  return isAutomatic(state) ? state.timing.automatic : state.timing;
}

/** Different for each, so that one of them is first (section 5.2 of the Raft paper). */
export function electionTimeoutMs({ automatic }: Timing, random: number): number {
  const { electionMinMs, electionMaxMs } = automatic;
  return electionMinMs + random * (electionMaxMs - electionMinMs);
}

/**
 * The lease that a primary asks of a backup which durably has everything up to `match`.
 *
 * A node that starts waits out no more than the longest lease that its configurations allow, see {@link forgottenLeaseMs}. So the longer
 * one is asked only of whoever has a configuration that allows it, and while none is on its way that does not.
 */
export function leaseToAskMs({ configurations, timing }: ReplicaState, match: Index): number {
  const shorterMs = shortestLeaseMs(timing);
  if (configurations === undefined) return shorterMs;
  const { committed, open } = configurations;
  const isSettled = match >= committed.position.index;
  const isSame = open.every(({ failover }) => failover === committed.failover);
  return isSettled && isSame ? leaseMsOf(committed.failover, timing) : shorterMs;
}

/** How long a lease a node may have granted before it started, and forgotten. */
export function forgottenLeaseMs(configurations: Configurations | undefined, timing: Timing): number {
  // It belonged to no cluster: it has heard no primary.
  if (configurations === undefined) return 0;
  const { committed, open } = configurations;
  return Math.max(...[committed, ...open].map(({ failover }) => leaseMsOf(failover, timing)));
}

/** No node remembers less than this over a restart, whatever its configurations are. */
export function shortestLeaseMs({ leaseMs, automatic }: Timing): number {
  return Math.min(leaseMs, automatic.leaseMs);
}

export function longestLeaseMs({ leaseMs, automatic }: Timing): number {
  return Math.max(leaseMs, automatic.leaseMs);
}

function leaseMsOf(policy: FailoverPolicy, { leaseMs, automatic }: Timing): number {
  return policy === 'auto' ? automatic.leaseMs : leaseMs;
}
