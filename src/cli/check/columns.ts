import { plainText } from '../output.js';
import type { Painter } from '../status-view.js';

export type Row = readonly [label: string, value: string];

/** Names and values, aligned. */
export function facts(rows: readonly Row[], paint: Painter): string[] {
  const width = Math.max(0, ...rows.map(([label]) => label.length));
  return rows.map(([label, value]) => `${paint.name(label.padEnd(width))}  ${plainText(value)}`);
}

/** How a cell is painted, by the heading of its column. */
export type CellPainter = (heading: string, cell: string) => ((text: string) => string) | undefined;

export function table(
  headings: readonly string[],
  rows: readonly (readonly string[])[],
  paintCell: CellPainter | undefined,
  paint: Painter,
): string[] {
  const plain = rows.map((row) => row.map(plainText));
  const widths = headings.map((heading, at) =>
    Math.max(heading.length, ...plain.map((row) => (row[at] ?? '').length)),
  );
  const line = (
    cells: readonly string[],
    painted: (text: string, cell: string, at: number) => string,
  ): string =>
    cells
      .map((cell, at) => painted(cell.padEnd(widths[at] ?? 0), cell, at))
      .join('  ')
      .trimEnd();
  return [
    line(headings, (text) => paint.name(text)),
    ...plain.map((row) =>
      line(row, (text, cell, at) => (paintCell?.(headings[at] ?? '', cell) ?? ((same) => same))(text)),
    ),
  ];
}
