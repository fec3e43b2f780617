import type { StatusReport } from '../../client/answers.js';
import { withClient } from '../client-command.js';
import type { Invocation } from '../invocation.js';
import { EXIT } from '../exit.js';
import { readFormat } from '../options.js';
import { plainText, standardOutput, writeLines } from '../output.js';

export async function run(invocation: Invocation): Promise<number> {
  const format = readFormat(invocation);
  return withClient(invocation, async ({ client, remaining }) => {
    const report = await client.status(remaining());
    const output = standardOutput(process.env);
    if (format === 'json') await output.write(`${formatStatusJson(report)}\n`);
    else if (output.isTerminal)
      await writeLines(output, formatStatusTable(report, await painter(output.colour)));
    else await writeLines(output, formatStatusLines(report));
    return EXIT.done;
  });
}

/** How parts of the table are told apart. Without colour every function answers its text. */
export interface Painter {
  name(text: string): string;
  good(text: string): string;
  bad(text: string): string;
}

async function painter(colour: boolean): Promise<Painter> {
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

const MEMBER_COLUMNS = ['member', 'role', 'state', 'acked', 'lag'];
const BAD_STATES: ReadonlySet<string> = new Set(['silent']);

/** For a person: aligned, members as a table. */
export function formatStatusTable(report: StatusReport, paint: Painter): string[] {
  const facts = [...report.facts].map(([name, value]) => [plainText(name), plainText(value)] as const);
  const width = Math.max(0, ...facts.map(([name]) => name.length));
  const lines = facts.map(([name, value]) => `${paint.name(name.padEnd(width))}  ${value}`);
  if (report.members.length === 0) return lines;
  const rows = report.members.map((member) =>
    MEMBER_COLUMNS.map((column) => plainText(member.get(column) ?? '')),
  );
  const widths = MEMBER_COLUMNS.map((column, at) =>
    Math.max(column.length, ...rows.map((row) => (row[at] ?? '').length)),
  );
  const heading = MEMBER_COLUMNS.map((column, at) => paint.name(column.padEnd(widths[at] ?? 0)));
  lines.push('', heading.join('  ').trimEnd());
  for (const row of rows) {
    const cells = row.map((cell, at) => {
      const padded = cell.padEnd(widths[at] ?? 0);
      if (MEMBER_COLUMNS[at] !== 'state') return padded;
      return BAD_STATES.has(cell) ? paint.bad(padded) : paint.good(padded);
    });
    lines.push(cells.join('  ').trimEnd());
  }
  return lines;
}

/** Facts whose values are words or names even where they look like numbers. */
const TEXT_FACTS: ReadonlySet<string> = new Set(['acks', 'node', 'cluster', 'address', 'member', 'version']);

/** One object; the members stand in an array under `members`. */
export function formatStatusJson(report: StatusReport): string {
  const members = report.members.map((member) => jsonObject(member));
  return JSON.stringify({ ...jsonObject(report.facts), members }, undefined, 2);
}

function jsonObject(facts: ReadonlyMap<string, string>): Record<string, string | number | boolean> {
  return Object.fromEntries([...facts].map(([name, value]) => [name, jsonValue(name, value)]));
}

function jsonValue(name: string, value: string): string | number | boolean {
  if (TEXT_FACTS.has(name)) return value;
  if (/^(0|-?[1-9]\d{0,14})$/.test(value)) return Number(value);
  return value === 'true' || value === 'false' ? value === 'true' : value;
}
