import { refusal } from '../engine.js';
import type { Reply } from '../protocol/reply.js';

/** Ends a command that takes more than a turn. */
export function settle(work: Promise<void>, reply: Reply, done: () => void): void {
  const mark = reply.length;
  work.then(done, (error: unknown) => {
    reply.rollBack(mark);
    reply.error(refusal('INTERNAL', error instanceof Error ? error.message : String(error)));
    done();
  });
}
