import type { Random } from '../random.js';
import type { ClusterNode } from './cluster.js';
import type { Fabric } from './fabric.js';

/** What happens to a primary, so that another node has to take its place; and how it comes back. */
export interface Blow {
  readonly name: string;
  strike(): Promise<void>;
  /** It is good again: the old primary is to find out, by itself, what has become of the cluster. */
  undo(): Promise<void>;
}

export type Kind = 'kill' | 'pause' | 'cut off' | 'hears nobody' | 'is not heard';
export const KINDS: readonly Kind[] = ['kill', 'pause', 'cut off', 'hears nobody', 'is not heard'];

/** Each of them leaves more than half of the members to themselves, and takes the primary from them. */
export function blowTo(
  primary: ClusterNode,
  kind: Kind,
  others: readonly ClusterNode[],
  fabric: Fabric,
  random: Random,
): Blow {
  const name = `${kind}: ${primary.name}`;
  const signal = (which: NodeJS.Signals): Promise<void> => {
    primary.process.signal(which);
    return Promise.resolve();
  };
  switch (kind) {
    case 'kill':
      return {
        name,
        strike: () => primary.kill(),
        undo: () => {
          primary.launch();
          return Promise.resolve();
        },
      };
    case 'pause':
      return { name, strike: () => signal('SIGSTOP'), undo: () => signal('SIGCONT') };
    case 'cut off':
    case 'hears nobody':
    case 'is not heard': {
      const flow = random.pick(['held', 'swallowed'] as const);
      return {
        name: `${name} (${flow})`,
        async strike() {
          for (const other of others) {
            if (kind !== 'hears nobody') await fabric.cutOneWay(primary.name, other.name, flow);
            if (kind !== 'is not heard') await fabric.cutOneWay(other.name, primary.name, flow);
          }
        },
        undo: () => fabric.heal(),
      };
    }
  }
}
