/** How many bytes some work asked of Node's buffers. Unlike a duration, it is the same in every run. */
export interface ByteCounts {
  allocated: number;
  copied: number;
  searched: number;
}

type Method = (this: unknown, ...values: unknown[]) => unknown;
type Told = (result: unknown, self: unknown, values: unknown[]) => void;

/** Runs `work` and counts. Nothing else may run meanwhile, so the work is synchronous. */
export function countBytes(work: () => void): ByteCounts {
  const counts: ByteCounts = { allocated: 0, copied: 0, searched: 0 };
  const allocated: Told = (result) => (counts.allocated += lengthOf(result));
  const filled: Told = (result) => {
    counts.allocated += lengthOf(result);
    counts.copied += lengthOf(result);
  };
  const copied: Told = (result) => (counts.copied += Number(result));
  const searched: Told = (result, self, [, from]) => {
    const start = typeof from === 'number' ? from : 0;
    counts.searched += (result === -1 ? lengthOf(self) : Number(result) + 1) - start;
  };
  const prototype = Buffer.prototype as Buffer;
  const restore = [
    wrap(Buffer, 'alloc', allocated),
    wrap(Buffer, 'allocUnsafe', allocated),
    wrap(Buffer, 'allocUnsafeSlow', allocated),
    wrap(Buffer, 'from', filled),
    wrap(Buffer, 'concat', filled),
    wrap(prototype, 'copy', copied),
    wrap(prototype, 'indexOf', searched),
  ];
  try {
    work();
  } finally {
    for (const undo of restore) undo();
  }
  return counts;
}

function lengthOf(value: unknown): number {
  return Buffer.isBuffer(value) ? value.length : 0;
}

/** Puts a method in front of another that tells what it answered. Undone by the function that comes back. */
function wrap(owner: object, name: string, told: Told): () => void {
  const original = Reflect.get(owner, name) as Method;
  const counting: Method = function (...values) {
    const result = original.apply(this, values);
    told(result, this, values);
    return result;
  };
  Reflect.set(owner, name, counting);
  return () => {
    Reflect.set(owner, name, original);
  };
}
