import type { MemberStatus, Status } from '../engine.js';
import { showPosition, termCount } from '../log/term.js';

/** What STATUS answers, one `name=value` line each. */
export function statusLines(status: Status): string[] {
  const { guarantees, snapshot } = status;
  return [
    `role=${status.role}`,
    `term=${String(termCount(status.term))}`,
    `position=${showPosition(status.position)}`,
    `commit=${String(status.commit)}`,
    `keys=${String(status.keys)}`,
    `data_bytes=${String(status.dataBytes)}`,
    `snapshot=${snapshot === undefined ? 'none' : showPosition(snapshot)}`,
    `waiting_bytes=${String(status.waitingBytes)}`,
    `fsync=${guarantees.fsync}`,
    // In words, because `fsync=everysec` tells only those who know what it costs.
    `acknowledged_writes_survive=${guarantees.fsync === 'always' ? 'power-cut' : 'process-crash'}`,
    `acks=${guarantees.acks}`,
    `reads=${guarantees.linearizableReads ? 'linearizable' : 'any'}`,
    `node=${status.node}`,
    `cluster=${status.cluster}`,
    ...status.members.map(memberLine),
  ];
}

function memberLine(member: MemberStatus): string {
  const { address, role, state, acked, lag } = member;
  return `member=${address} role=${role} state=${state} acked=${showPosition(acked)} lag=${String(lag)}`;
}
