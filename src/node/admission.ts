import type { Operation, Refusal, SessionTag } from '../engine.js';
import type { Sessions } from '../store/sessions.js';
import type { DataBound } from './data-bound.js';

/** Looks at a write that is about to be taken; a refusal when the data could grow past its bound by it. */
export function admit(
  sessions: Sessions,
  bound: DataBound,
  operation: Operation,
  tag: SessionTag | undefined,
): Refusal | undefined {
  if (tag !== undefined) {
    // From here on the session is in use: nothing that ends it gets in front of this write.
    sessions.touch(tag.session);
    // What was applied already adds nothing, and is to be answered as it was the first time.
    if (sessions.isDecided(tag.session, tag.number)) return undefined;
  }
  return bound.admit(operation);
}
