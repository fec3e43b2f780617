import type { Position } from '../../engine.js';
import { showPosition, termCount } from '../../log/term.js';
import { isWhole } from '../../storage/check-report.js';
import type { CheckReport, KeptFile, NodeCheck, SnapshotCheck, Verdict } from '../../storage/check-report.js';

/** For scripts: one object. What does not apply, or cannot be read, is null; positions are texts, `term:index`. */
export function checkJson(report: CheckReport): Record<string, unknown> {
  return {
    file: report.dbPath,
    kind: report.kind === 'something else' ? 'other' : report.kind,
    whole: isWhole(report),
    damage: report.damage.map(({ file, offset, message }) => ({ file, offset: offset ?? null, message })),
    start: startJson(report.verdict),
    ...(report.kind === 'node' ? nodeJson(report) : { bytes: report.bytes }),
  };
}

function startJson(verdict: Verdict): Record<string, unknown> {
  if (verdict.kind === 'refuses') return { refused: true, reason: verdict.reason };
  const { keys, position, repairs } = verdict;
  const shown = repairs.map((repair) =>
    'position' in repair ? { ...repair, position: showPosition(repair.position) } : repair,
  );
  return { refused: false, keys, position: showPosition(position), repairs: shown };
}

function nodeJson(report: NodeCheck): Record<string, unknown> {
  const { log } = report;
  return {
    directory: report.directory,
    node: stateJson(report),
    snapshot: snapshotJson(report.snapshot),
    previous: snapshotJson(report.previous),
    arrival: report.arrival === undefined ? null : snapshotJson(report.arrival),
    log: {
      end: positionJson(log.end),
      torn: log.torn ?? null,
      uncommittedEntries: report.uncommittedEntries,
      segments: log.segments.map(({ first, last, ...segment }) => ({
        ...segment,
        first: positionJson(first),
        last: positionJson(last),
      })),
      spares: { files: report.spares.names.length, bytes: report.spares.bytes },
    },
    kept: report.kept.map(keptJson),
    leftovers: report.leftovers.names,
    unknown: report.unknown,
  };
}

function stateJson({ state }: NodeCheck): Record<string, unknown> | null {
  if (state === undefined) return null;
  const { configuration } = state;
  return {
    node: state.node,
    cluster: state.cluster ?? null,
    role: state.role,
    term: termCount(state.term),
    members: configuration?.members.map(({ address }) => address) ?? null,
    learners: configuration?.learners.map(({ address }) => address) ?? null,
    acks: configuration?.acks ?? null,
    failover: configuration?.failover ?? null,
    leftOut: state.leftOutAt !== undefined,
    divergence: state.divergence ?? null,
    commit: state.commit,
    cleanStop: state.cleanEnd !== undefined,
  };
}

function snapshotJson({ file, state, head, entries, bytes }: SnapshotCheck): Record<string, unknown> {
  const isRead = head !== undefined;
  return { file, state, position: positionJson(head?.end), entries: isRead ? entries : null, bytes };
}

function keptJson({ file, kind, bytes, entries, first, last }: KeptFile): Record<string, unknown> {
  return {
    file,
    kind,
    bytes,
    entries: entries ?? null,
    first: positionJson(first),
    last: positionJson(last),
  };
}

function positionJson(position: Position | undefined): string | null {
  return position === undefined ? null : showPosition(position);
}
