import { Violation, check } from './membership-model.js';
import type { Model, State } from './membership-model.js';
import type { Random } from '../random.js';

export interface SearchResult {
  readonly states: number;
  /** Whether everything within the bounds was seen. */
  readonly isComplete: boolean;
  /** The steps that lead to a violation, the shortest there is. */
  readonly trace: readonly string[] | undefined;
  readonly violation: string | undefined;
}

/** Random walks from the beginning, for what lies deeper than a search of everything reaches. */
export function wander(
  model: Model,
  initial: State,
  random: Random,
  walks: number,
  steps: number,
): SearchResult {
  let states = 0;
  for (let walk = 0; walk < walks; walk++) {
    let state = initial;
    const trace: string[] = [];
    for (let step = 0; step < steps; step++) {
      const next = [...model.successors(state)];
      if (next.length === 0) break;
      const [name, chosen] = random.pick(next);
      state = chosen;
      states++;
      trace.push(name);
      const violation = violationOf(state);
      if (violation !== undefined) return { states, isComplete: false, trace, violation };
    }
  }
  return { states, isComplete: false, trace: undefined, violation: undefined };
}

function violationOf(state: State): string | undefined {
  try {
    check(state);
    return undefined;
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return error.message;
  }
}

/** Breadth first over everything that can happen, up to a number of states. */
export function search(model: Model, initial: State, statesMax: number): SearchResult {
  const seen = new Set([keyOf(initial)]);
  const queue: { readonly state: State; readonly from: number; readonly step: string }[] = [
    { state: initial, from: -1, step: '' },
  ];
  const traceOf = (at: number): string[] => {
    const steps: string[] = [];
    for (let next = at; next > 0; next = queue[next]!.from) steps.unshift(queue[next]!.step);
    return steps;
  };
  for (let at = 0; at < queue.length; at++) {
    for (const [step, state] of model.successors(queue[at]!.state)) {
      const key = keyOf(state);
      if (seen.has(key)) continue;
      seen.add(key);
      queue.push({ state, from: at, step });
      const violation = violationOf(state);
      if (violation !== undefined) {
        return { states: seen.size, isComplete: false, trace: traceOf(queue.length - 1), violation };
      }
      if (seen.size >= statesMax) {
        return { states: seen.size, isComplete: false, trace: undefined, violation: undefined };
      }
    }
    // What was expanded is not needed any more, only where it came from.
    queue[at] = { ...queue[at]!, state: initial };
  }
  return { states: seen.size, isComplete: true, trace: undefined, violation: undefined };
}

function keyOf(state: State): string {
  const nodes = state.nodes.map((node) => {
    const log = node.log
      .map((entry) => `${String(entry.term)}${entry.members?.join('') ?? entry.kind[0]!}`)
      .join(',');
    const flags = [node.isUp, node.isConfirmed, node.isLeftOut].map(Number).join('');
    return [
      log,
      node.term,
      flags,
      node.role[0],
      node.knownCommitted,
      node.committed,
      node.match.join(''),
    ].join(';');
  });
  return `${nodes.join('|')}#${String(state.nextTerm)}#${String(state.crashes)}#${state.safe.join(',')}`;
}
