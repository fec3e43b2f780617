import path from 'node:path';
import type { Position } from '../../engine.js';
import { showPosition, termCount } from '../../log/term.js';
import { isWhole } from '../../storage/check-report.js';
import type {
  CheckReport,
  FileCheck,
  KeptFile,
  NodeCheck,
  SegmentCheck,
  SnapshotCheck,
} from '../../storage/check-report.js';
import type { NodeState } from '../../storage/node-state.js';
import { plainText } from '../output.js';
import { showBytes } from '../quantity.js';
import type { Painter } from '../status-view.js';
import { wrap } from '../two-columns.js';
import { verdictParagraphs } from './check-verdict-text.js';
import { facts, table } from './columns.js';
import type { Row } from './columns.js';

const NONE = '-';
/** Of so many segments all are shown; of more, only those that are not like the others. */
const SEGMENTS_SHOWN_MAX = 12;
const SHOWN_AT_EACH_END = 3;

/** For a person: what there is, what is wrong with it, and last what a start would make of it. */
export function formatCheck(report: CheckReport, paint: Painter, columns: number): string[] {
  const parts = report.kind === 'node' ? nodeParts(report, paint) : fileParts(report, paint);
  const damage = report.damage.map(({ message }) => plainText(message));
  const judged = isWhole(report) ? paint.good : paint.bad;
  const [verdict = '', ...advice] = verdictParagraphs(report).map(plainText);
  return [
    ...parts.filter((part) => part.length > 0),
    damage.flatMap((message) => wrapped(`- ${message}`, columns).map((line) => paint.bad(line))),
    [
      ...wrapped(verdict, columns).map((line) => judged(line)),
      ...advice.flatMap((text) => wrapped(text, columns)),
    ],
  ]
    .filter((part) => part.length > 0)
    .flatMap((part, at) => (at === 0 ? part : ['', ...part]));
}

function wrapped(text: string, columns: number): string[] {
  return columns === Infinity ? [text] : wrap(text, columns);
}

function fileParts({ dbPath, kind, bytes, verdict }: FileCheck, paint: Painter): string[][] {
  const rows: Row[] = [
    ['file', dbPath],
    ['is', WHAT_IT_IS[kind]],
    ['size', showBytes(bytes)],
  ];
  if (verdict.kind === 'starts') {
    rows.push(['entries', String(verdict.keys)]);
    if (kind === 'snapshot') rows.push(['position', showPosition(verdict.position)]);
  }
  return [facts(rows, paint)];
}

const WHAT_IT_IS: Record<FileCheck['kind'], string> = {
  snapshot: 'a snapshot by itself, with no node beside it',
  bare: 'a bare file of keys and values, not written by a node',
  'something else': 'no data of a node',
};

function nodeParts(report: NodeCheck, paint: Painter): string[][] {
  const { log, kept, leftovers, unknown } = report;
  return [
    facts([['data', `${report.dbPath}, ${report.directory}`], ...stateRows(report.state)], paint),
    snapshotTable(report, paint),
    segmentTable(log.segments, paint),
    facts(logRows(report), paint),
    keptTable(kept, paint),
    facts(
      [
        ...(leftovers.names.length === 0
          ? []
          : [['leftovers', `${leftovers.names.join(', ')}: half made, removed by a start`] as const]),
        ...(unknown.length === 0 ? [] : [['not looked at', unknown.join(', ')] as const]),
      ],
      paint,
    ),
  ];
}

function group({ names, bytes }: NodeCheck['spares']): string {
  return `${String(names.length)} for the log, ${showBytes(bytes)}`;
}

function stateRows(state: NodeState | undefined): Row[] {
  if (state === undefined) return [['node', 'not known: node.json cannot be used']];
  const { configuration } = state;
  const addresses = (configuration?.members ?? []).map(({ address }) => address).join(', ');
  return [
    ['node', state.node],
    ['cluster', state.cluster ?? 'none yet: a backup that was not added'],
    ['role', state.leftOutAt === undefined ? state.role : `${state.role}, left out of its cluster`],
    ...(state.divergence === undefined ? [] : [['answers nothing', state.divergence] as const]),
    ['term', String(termCount(state.term))],
    ['members', configuration === undefined ? 'itself' : addresses],
    ...(configuration === undefined
      ? []
      : [['acks', configuration.acks] as const, ['failover', configuration.failover] as const]),
    ['commit', String(state.commit)],
    ['last stop', state.cleanEnd === undefined ? 'not a clean one' : 'clean'],
  ];
}

function snapshotTable({ snapshot, previous, arrival }: NodeCheck, paint: Painter): string[] {
  const rows = [snapshot, previous, arrival].flatMap((each) =>
    each === undefined ? [] : [snapshotRow(each)],
  );
  return table(['snapshot', 'state', 'position', 'entries', 'size'], rows, stateColumn(paint), paint);
}

function snapshotRow({ file, state, head, entries, bytes }: SnapshotCheck): string[] {
  const isThere = state === 'whole' || state === 'damaged';
  const size = isThere ? showBytes(bytes) : NONE;
  return [
    path.basename(file),
    state === 'none' ? 'none yet' : state,
    shown(head?.end),
    head === undefined ? NONE : String(entries),
    size,
  ];
}

function segmentTable(segments: readonly SegmentCheck[], paint: Painter): string[] {
  if (segments.length === 0) return [];
  const rows = segments.map(segmentRow);
  const headings = ['log', 'state', 'first', 'last', 'entries', 'frames', 'used'];
  const lines = table(headings, rows, stateColumn(paint), paint);
  if (segments.length <= SEGMENTS_SHOWN_MAX) return lines;
  const isShown = segments.map(({ state }, at) => {
    return state !== 'live' || at < SHOWN_AT_EACH_END || at >= segments.length - SHOWN_AT_EACH_END;
  });
  const left = lines.filter((_line, at) => at === 0 || isShown[at - 1] === true);
  const hidden = isShown.filter((is) => !is).length;
  return [...left, `and ${String(hidden)} more, which are whole; --format json lists them`];
}

function segmentRow({ file, state, first, last, entries, frames, usedBytes }: SegmentCheck): string[] {
  const counts = [String(entries), String(frames), showBytes(usedBytes)];
  return [path.basename(file), state, shown(first), shown(last), ...counts];
}

function logRows({ log, uncommittedEntries, spares }: NodeCheck): Row[] {
  const { end, torn } = log;
  const rows: Row[] = [];
  const isLogWhole = log.segments.every(({ state }) => state !== 'damaged');
  if (end !== undefined && isLogWhole) rows.push(['log ends at', showPosition(end)]);
  if (uncommittedEntries > 0) {
    rows.push([
      'not yet committed',
      `its last ${String(uncommittedEntries)} entries, as far as this node knows`,
    ]);
  }
  if (torn !== undefined) {
    const where = `${path.basename(torn.file)}, ${String(torn.bytes)} bytes from byte ${String(torn.offset)}`;
    rows.push(['torn end', where]);
  }
  if (spares.names.length > 0) rows.push(['spare files', group(spares)]);
  return rows;
}

function keptTable(kept: readonly KeptFile[], paint: Painter): string[] {
  if (kept.length === 0) return [];
  const rows = kept.map(({ file, kind, bytes, entries, first, last }) => [
    path.basename(file),
    kind,
    shown(first),
    shown(last),
    entries === undefined ? NONE : String(entries),
    showBytes(bytes),
  ]);
  return table(['kept aside', 'what', 'first', 'last', 'entries', 'size'], rows, undefined, paint);
}

function shown(position: Position | undefined): string {
  return position === undefined ? NONE : showPosition(position);
}

function stateColumn(
  paint: Painter,
): (heading: string, cell: string) => ((text: string) => string) | undefined {
  return (heading, cell) => {
    if (heading !== 'state') return undefined;
    if (cell === 'damaged' || cell === 'missing') return paint.bad;
    return cell === 'whole' || cell === 'live' ? paint.good : undefined;
  };
}
