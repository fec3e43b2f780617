const waiting: (() => void)[] = [];

/**
 * As `queueMicrotask`, for what many do after the same work: however many there are they share one microtask, in the order in which
 * they came. Each of its own costs 0.5 µs, a tenth of what is done for a write here.
 */
export function afterWork(work: () => void): void {
  if (waiting.push(work) === 1) queueMicrotask(run);
}

function run(): void {
  let at = 0;
  try {
    for (let work = waiting[at]; work !== undefined; work = waiting[at]) {
      at++;
      work();
    }
  } finally {
    waiting.splice(0, at);
    // Whoever failed takes nobody with it.
    if (waiting.length > 0) queueMicrotask(run);
  }
}
