const UNITS = ['KiB', 'MiB', 'GiB', 'TiB'] as const;

/** A number of bytes as people say it: `600 B`, `1.5 MiB`. */
export function showBytes(bytes: number): string {
  if (bytes < 1024) return `${String(bytes)} B`;
  let value = bytes;
  let unit: string = UNITS[0];
  for (unit of UNITS) {
    value /= 1024;
    if (value < 1023.95) break;
  }
  return `${value.toFixed(1)} ${unit}`;
}

/** A number of bytes as it is given to an option: `64MiB`, and `67239936` where no unit fits. */
export function shortBytes(bytes: number): string {
  let value = bytes;
  let shownUnit = '';
  for (const unit of UNITS) {
    if (value === 0 || value % 1024 !== 0) break;
    value /= 1024;
    shownUnit = unit;
  }
  return `${String(value)}${shownUnit}`;
}

const SIZE = /^(\d{1,16}(?:\.\d{1,6})?) ?(B|KiB|MiB|GiB|TiB)?$/i;

/** The number of bytes that `67108864`, `64MiB` or `1.5 GiB` means; undefined when it means none, or not a whole one. */
export function parseBytes(text: string): number | undefined {
  const [, number = '', unit = 'B'] = SIZE.exec(text) ?? [];
  const exponent = ['B', ...UNITS].findIndex((each) => each.toLowerCase() === unit.toLowerCase());
  const bytes = Number(number) * 1024 ** exponent;
  return number !== '' && Number.isSafeInteger(bytes) ? bytes : undefined;
}

const STEPS = [
  ['s', 1000, 60],
  ['min', 60_000, 60],
  ['h', 3_600_000, 24],
  ['days', 86_400_000, Infinity],
] as const;

/** A length of time as people say it: `30 ms`, `1.2 s`, `3 min`. */
export function showDuration(durationMs: number): string {
  if (durationMs < 1000) return `${String(Math.round(durationMs))} ms`;
  const [unit, unitMs] = STEPS.find(([, stepMs, count]) => durationMs < stepMs * count) ?? STEPS[3];
  return unit === 's'
    ? `${(Math.floor(durationMs / 100) / 10).toFixed(1)} s`
    : `${String(Math.floor(durationMs / unitMs))} ${unit}`;
}
