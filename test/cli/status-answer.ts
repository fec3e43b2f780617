import { values } from '../client/resp-answers.js';

/** What STATUS answers on a primary whose backup at b:2 is in this state, or not there. */
export function statusWith(state: string | undefined, role = 'primary'): string {
  return values(...statusLines(state, role));
}

export function statusLines(state: string | undefined, role = 'primary'): string[] {
  const members = ['member=a:1 role=primary state=member acked=3:9 lag=0 lag_bytes=0 silent_ms=none'];
  if (state !== undefined) {
    members.push(`member=b:2 role=backup state=${state} acked=3:2 lag=7 lag_bytes=2048 silent_ms=12`);
  }
  return [`role=${role}`, 'acks=majority', ...members];
}
