import type { Guarantees, MemberStatus, Position, Status } from '../engine.js';
import { showPosition, termCount } from '../log/term.js';

/** What STATUS answers, one `name=value` line each. Every fact is there on every node; `none` stands for what is not known. */
export function statusLines(status: Status): string[] {
  const { guarantees } = status;
  return [
    `role=${status.role}`,
    `service=${status.service}`,
    `advice=${status.advice ?? NONE}`,
    `primary=${status.primary ?? NONE}`,
    `primary_silent_ms=${wholeOrNone(status.primarySilentMs)}`,
    `behind_ms=${wholeOrNone(status.behindMs)}`,
    `term=${String(termCount(status.term))}`,
    `position=${showPosition(status.position)}`,
    `commit=${String(status.commit)}`,
    `applied=${String(status.applied)}`,
    `keys=${String(status.keys)}`,
    `data_bytes=${String(status.dataBytes)}`,
    `data_bytes_max=${wholeOrNone(status.dataBytesMax)}`,
    `sessions=${String(status.sessions)}`,
    `snapshot=${positionOrNone(status.snapshot)}`,
    `waiting_bytes=${String(status.waitingBytes)}`,
    `fsync=${guarantees.fsync}`,
    `acknowledged_writes_survive=${survivedBy(guarantees)}`,
    `acks=${guarantees.acks}`,
    `failover=${guarantees.failover}`,
    `reads=${guarantees.linearizableReads ? 'linearizable' : 'any'}`,
    `node=${status.node}`,
    `cluster=${status.cluster ?? NONE}`,
    ...status.members.map(memberLine),
  ];
}

const NONE = 'none';

/** In words, because `fsync=everysec` and `acks=0` tell only those who know what they cost. */
function survivedBy({ fsync, acks }: Guarantees): string {
  const crash = fsync === 'always' ? 'power-cut' : 'process-crash';
  return acks === '0' ? `${crash}-but-not-promotion` : crash;
}

function memberLine(member: MemberStatus): string {
  const { node, address, role, state, acked, lag, lagBytes, silentMs } = member;
  const progress = `acked=${positionOrNone(acked)} lag=${wholeOrNone(lag)} lag_bytes=${wholeOrNone(lagBytes)}`;
  const heard = `silent_ms=${wholeOrNone(silentMs)}`;
  return `member=${address} role=${role} state=${state} ${progress} ${heard} node=${node}`;
}

function positionOrNone(position: Position | undefined): string {
  return position === undefined ? NONE : showPosition(position);
}

/** Times come with fractions from the clock, which nobody needs. */
function wholeOrNone(value: number | undefined): string {
  return value === undefined ? NONE : String(Math.round(value));
}
