import type { Engine, Operation, Refusal, SessionTag } from '../../src/engine.js';
import { range } from './engine-fixture.js';
import type { Outcome } from './engine-fixture.js';

/** Opens a session; its id, or why there is none. */
export function openSession(engine: Engine): Promise<Outcome> {
  return new Promise((resolve) => {
    engine.openSession({
      written: (refused: Refusal | undefined, count: number) => {
        resolve(refused ?? count);
      },
    });
  });
}

export async function openedSession(engine: Engine): Promise<number> {
  const outcome = await openSession(engine);
  if (typeof outcome !== 'number') throw new Error(`no session: ${outcome.message}`);
  return outcome;
}

export function write(engine: Engine, operation: Operation, tag?: SessionTag): Promise<Outcome> {
  return new Promise((resolve) => {
    const observer = {
      written: (refused: Refusal | undefined, count: number) => {
        resolve(refused ?? count);
      },
    };
    engine.write(operation, observer, tag);
  });
}

/** `put a 1`, `put a 1 b 2`, `delete a b`. */
export function operationOf(text: string): Operation {
  const [kind, ...words] = text.split(' ');
  const ranges = words.map(range);
  if (kind === 'delete') return { kind: 'delete', keys: ranges };
  const [key, value] = ranges;
  return ranges.length === 2 ? { kind: 'put', key: key!, value: value! } : { kind: 'putMany', pairs: ranges };
}
