import type { Index } from '../engine.js';
import { withCommitted } from './membership.js';
import type { Step } from './state.js';
import { persist } from './turn.js';

/**
 * Moves the commit. A configuration that is committed by it is recorded durably before anything is applied or answered that
 * follows.
 */
export function setCommit(step: Step, commit: Index): void {
  const { state } = step;
  state.commit = commit;
  const before = state.configurations;
  if (before !== undefined) {
    state.configurations = withCommitted(before, commit);
    if (state.configurations.committed !== before.committed) persist(step);
  }
  step.effects.push({ kind: 'commit', index: commit });
}
