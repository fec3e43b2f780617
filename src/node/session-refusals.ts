import { SESSIONS_MAX, refusal } from '../engine.js';
import type { Refusal } from '../engine.js';

/** What the clients of sessions are told. */

export function noSession(session: number): Refusal {
  const reason = 'it was not used for too long, or never opened here';
  return refusal(
    'SESSION_EXPIRED',
    `not applied: there is no session ${String(session)}: ${reason}; open another one, and look whether the writes took effect that were sent under it`,
  );
}

export function answerForgotten(session: number, number: number): Refusal {
  const reason = 'the client has said that it waits for later ones only';
  return refusal(
    'SESSION_EXPIRED',
    `not applied: what came of write ${String(number)} of session ${String(session)} is forgotten: ${reason}`,
  );
}

export function tooManySessions(): Refusal {
  return refusal(
    'BUSY',
    `${String(SESSIONS_MAX)} sessions are open, and no more can be: those that nobody uses expire; try again later`,
  );
}
