import type { Index } from '../engine.js';
import { commonPrefix } from '../log/history.js';
import { comparePositions } from '../log/term.js';
import { endOf } from '../log/frame.js';
import { termAt } from '../log/history.js';
import type { Fetch, Supply } from './message.js';
import type { Attempt, LinkId, OpenLink, Step } from './state.js';
import type { Frame } from '../log/frame.js';
import type { Term } from '../engine.js';
import { appendFrames, hasEntry, historyOf, send, truncate } from './turn.js';
import { endBefore } from './streaming.js';

/** How a node that takes over gets the longest log among those that it fenced, and how they supply it. */

export function askForFrames(step: Step, _attempt: Attempt, link: OpenLink): void {
  const { state } = step;
  const history = historyOf(state);
  send(step, link.id, {
    kind: 'fetch',
    term: state.term,
    history: { ...history, spans: [...history.spans] },
  });
}

export function onFetch(step: Step, link: OpenLink, message: Fetch): void {
  const { state } = step;
  // Only for the term that was granted: nothing is appended here meanwhile, so this log stands still.
  if (message.term !== state.term || state.vote !== link.node) return;
  const common =
    message.history.last.index === 0 ? message.history.last : commonPrefix(historyOf(state), message.history);
  if (common === undefined) {
    send(step, link.id, { kind: 'supply', term: state.term, previous: undefined, frames: [] });
    return;
  }
  step.effects.push({
    kind: 'supply',
    link: link.id,
    term: state.term,
    after: common.index,
    bytesMax: state.windows.messageBytes,
  });
}

export function onSupplied(
  step: Step,
  input: { link: LinkId; term: Term; after: Index; frames: readonly Frame[] | 'trimmed' },
): void {
  const { state } = step;
  if (input.term !== state.term) return;
  const frames = input.frames === 'trimmed' ? [] : input.frames;
  const isAtEnd = input.frames !== 'trimmed' && frames.length === 0 && input.after === state.last.index;
  const previous = isAtEnd ? state.last : endBefore(step, frames);
  send(step, input.link, { kind: 'supply', term: input.term, previous, frames });
}

/** Takes what the source has. Answers whether the log is as long as the source's now; undefined when that cannot be. */
export function takeSupply(
  step: Step,
  attempt: Attempt,
  link: OpenLink,
  message: Supply,
): boolean | undefined {
  const { state } = step;
  const { source } = attempt;
  if (attempt.phase !== 'fetch' || source?.node !== link.node || message.term !== state.term) return false;
  if (message.previous === undefined) return undefined;
  if (!hasEntry(state, message.previous)) return false;
  let before = message.previous;
  const { last } = state;
  for (const [at, frame] of message.frames.entries()) {
    const end = endOf(frame);
    if (end.index <= state.last.index && termAt(historyOf(state), end.index) === end.term) {
      before = end;
      continue;
    }
    if (state.last.index > before.index) {
      if (before.index < state.commit) return undefined;
      truncate(step, before);
    }
    appendFrames(step, message.frames.slice(at));
    break;
  }
  if (comparePositions(state.last, source.last) >= 0) return true;
  // A source that brings nothing may have crashed, and lost what was not durable when it answered: the next tick asks again.
  if (state.last !== last) askForFrames(step, attempt, link);
  return false;
}
