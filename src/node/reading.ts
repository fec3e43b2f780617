import { LASTING_BYTES_MIN, refusal } from '../engine.js';
import type { ByteRange, Refusal, ValueSink } from '../engine.js';
import { notPrimary } from '../replication/refusals.js';
import type { Store } from '../store/store.js';

/** What is read in one slice, in keys; so many bytes of a value are as much work as one more key. */
export const WORK_A_SLICE = 2000;
const BYTES_AS_A_KEY = 1024;

export function unsure(): Refusal {
  return refusal(
    'NO_QUORUM',
    'not read: too few members confirm that this node is still the primary; look at status, and try again in a moment',
  );
}

export function lostWhileRead(primary: string | undefined): Refusal {
  return notPrimary(primary, 'this node was the primary when the read began, and is no more; read there');
}

export function tooFarBehind(primary: string | undefined, behindMs: number | undefined): Refusal {
  const how = behindMs === undefined ? 'not known' : `${String(Math.ceil(behindMs / 1000))} s`;
  const why = `this backup is too far behind to be read, ${how}; read at the primary, or look at status`;
  return notPrimary(primary, why);
}

/**
 * Reads keys from one of them on until the sink is full, or so much work is done. The store is at one state meanwhile.
 *
 * @returns the place of the key to go on with.
 */
export function readSlice(
  store: Store,
  keys: readonly ByteRange[],
  from: number,
  sink: ValueSink,
  workMax: number,
): number {
  let at = from;
  for (let work = 0; work < workMax && !sink.isFull; at++) {
    const key = keys[at];
    if (key === undefined) break;
    // A longer value is no more work: whoever takes it keeps it as it is.
    work += 1 + Math.min(store.read(key, sink), LASTING_BYTES_MIN) / BYTES_AS_A_KEY;
  }
  return at;
}

export function tooMuch(): Refusal {
  return refusal('TOO_LARGE', 'the values are more than one reply may hold: ask for fewer keys');
}
