const RIGHT_COLUMNS_MIN = 20;

/** Rows of two columns, the second one wrapped. What is longer on the left than `leftMax` has a line of its own. */
export function twoColumns(
  rows: readonly (readonly [left: string, right: string])[],
  columns: number,
  leftMax: number,
): string[] {
  const explained = rows.filter(([, right]) => right !== '').map(([left]) => left.length);
  const width = Math.min(leftMax, Math.max(0, ...explained));
  const indent = ' '.repeat(width + 4);
  return rows.flatMap(([left, right]) => {
    if (right === '') return [`  ${left}`];
    const [first = '', ...rest] = wrap(right, columns - indent.length);
    const further = rest.map((line) => indent + line);
    if (left.length > width) return [`  ${left}`, indent + first, ...further];
    return [`  ${left}`.padEnd(indent.length) + first, ...further];
  });
}

/** Lines of at most so many columns, broken at blanks. */
export function wrap(text: string, columns: number): string[] {
  const width = Math.max(RIGHT_COLUMNS_MIN, columns);
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
