const CHANGES_MAX = 2;
/** Less is begun by too many names to mean one of them. */
const PREFIX_LENGTH_MIN = 2;

/** The name that was probably meant: the one that begins so, or else the one that takes the fewest changes, when those are few. */
export function closest(text: string, names: readonly string[]): string | undefined {
  const continued = text.length < PREFIX_LENGTH_MIN ? [] : names.filter((name) => name.startsWith(text));
  if (continued.length === 1) return continued[0];
  let best: string | undefined;
  let fewest = Math.min(CHANGES_MAX, text.length - 1) + 1;
  for (const name of names) {
    const changes = changesBetween(text, name);
    if (changes < fewest) {
      best = name;
      fewest = changes;
    }
  }
  return best;
}

/** How many letters to add, drop, replace, or swap with their neighbour to make one text of the other. */
function changesBetween(from: string, to: string): number {
  if (Math.abs(from.length - to.length) > CHANGES_MAX) return CHANGES_MAX + 1;
  let before: number[] = [];
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      const replaced = (above[column - 1] ?? 0) + (same ? 0 : 1);
      let least = Math.min(replaced, (above[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1);
      const swapped = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (row > 1 && column > 1 && swapped) least = Math.min(least, (before[column - 2] ?? 0) + 1);
      current.push(least);
    }
    before = above;
    above = current;
  }
  return above[to.length] ?? 0;
}
