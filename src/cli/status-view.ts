import type { StatusReport } from '../client/answers.js';
import { plainText } from './output.js';
import { showBytes, showDuration } from './quantity.js';

/** How parts of the table are told apart. Without colour every function answers its text. */
export interface Painter {
  readonly name: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
}

export async function painter(colour: boolean): Promise<Painter> {
  const { Chalk } = await import('chalk');
  const chalk = new Chalk(colour ? {} : { level: 0 });
  return { name: chalk.dim, good: chalk.green, bad: chalk.red };
}

/** As the server says it: `name=value` lines, and one line for each member. */
export function formatStatusLines(report: StatusReport): string[] {
  const facts = [...report.facts].map(([name, value]) => `${name}=${value}`);
  const members = report.members.map((member) =>
    [...member].map(([name, value]) => `${name}=${value}`).join(' '),
  );
  return [...facts, ...members].map(plainText);
}

/** What the server says of a fact that does not apply, or that it does not know. */
const NONE = 'none';
const ADVICE = 'advice';

/** Names that would read badly without their unit. */
const LABELS: ReadonlyMap<string, string> = new Map([
  ['primary_silent_ms', 'primary last heard'],
  ['behind_ms', 'reads at most behind'],
  ['data_bytes', 'data'],
  ['data_bytes_max', 'data at most'],
  ['waiting_bytes', 'waiting for the disk'],
]);

const COLUMNS: readonly (readonly [name: string, heading: string])[] = [
  ['member', 'member'],
  ['role', 'role'],
  ['state', 'state'],
  ['acked', 'acked'],
  ['lag', 'entries behind'],
  ['lag_bytes', 'bytes behind'],
  ['silent_ms', 'last heard'],
];
const BAD: ReadonlySet<string> = new Set([
  'silent',
  'differs',
  'forgetful',
  'waiting',
  'left-out',
  'diverged',
  'unadopted',
]);

/** For a person: aligned, members as a table, and last what should be done, when there is something. */
export function formatStatusTable(report: StatusReport, paint: Painter): string[] {
  const facts = [...report.facts]
    .filter(([name]) => name !== ADVICE)
    .map(([name, value]) => [labelOf(name), readable(name, value), name] as const);
  const width = Math.max(0, ...facts.map(([label]) => label.length));
  const lines = facts.map(([label, value, name]) => {
    return `${paint.name(label.padEnd(width))}  ${name === 'service' ? judged(value, value, paint) : value}`;
  });
  if (report.members.length > 0) lines.push('', ...memberTable(report, paint));
  const advice = report.facts.get(ADVICE) ?? NONE;
  if (advice !== NONE) lines.push('', paint.bad(plainText(advice)));
  return lines;
}

function memberTable(report: StatusReport, paint: Painter): string[] {
  const rows = report.members.map((member) =>
    COLUMNS.map(([name]) => readable(name, member.get(name) ?? NONE)),
  );
  const widths = COLUMNS.map(([, heading], at) =>
    Math.max(heading.length, ...rows.map((row) => (row[at] ?? '').length)),
  );
  const headings = COLUMNS.map(([, heading], at) => paint.name(heading.padEnd(widths[at] ?? 0)));
  const lines = rows.map((row) => {
    const cells = row.map((cell, at) => {
      const padded = cell.padEnd(widths[at] ?? 0);
      return COLUMNS[at]?.[0] === 'state' ? judged(cell, padded, paint) : padded;
    });
    return cells.join('  ').trimEnd();
  });
  return [headings.join('  ').trimEnd(), ...lines];
}

function judged(state: string, text: string, paint: Painter): string {
  return BAD.has(state) ? paint.bad(text) : paint.good(text);
}

function labelOf(name: string): string {
  return LABELS.get(name) ?? plainText(name).replaceAll('_', ' ');
}

function readable(name: string, value: string): string {
  if (value === NONE) return '-';
  if (!/^\d{1,15}$/.test(value)) return plainText(value);
  if (name.endsWith('_bytes') || name.endsWith('_bytes_max')) return showBytes(Number(value));
  if (name === 'behind_ms') return showDuration(Number(value));
  return name.endsWith('_ms') ? `${showDuration(Number(value))} ago` : value;
}

/** Facts whose values are words or names even where they look like numbers. */
const TEXT_FACTS: ReadonlySet<string> = new Set([
  'acks',
  'node',
  'cluster',
  'address',
  'member',
  'primary',
  'version',
  ADVICE,
]);

/** One object; the members stand in an array under `members`. What is not known is null. */
export function statusJson(report: StatusReport): Record<string, unknown> {
  return { ...jsonObject(report.facts), members: report.members.map(jsonObject) };
}

type Scalar = string | number | boolean | null;

function jsonObject(facts: ReadonlyMap<string, string>): Record<string, Scalar> {
  return Object.fromEntries([...facts].map(([name, value]) => [name, jsonValue(name, value)]));
}

function jsonValue(name: string, value: string): Scalar {
  if (value === NONE) return null;
  if (TEXT_FACTS.has(name)) return value;
  if (/^(0|-?[1-9]\d{0,14})$/.test(value)) return Number(value);
  return value === 'true' || value === 'false' ? value === 'true' : value;
}
