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
