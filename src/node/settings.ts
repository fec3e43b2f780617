import type { AcksPolicy, FailoverPolicy, Refusal } from '../engine.js';
import type { Change, CommandOutcome } from '../replication/state.js';
import type { ReplicaEngineParts } from './engine-parts.js';
import type { Replica } from './replica.js';

type Setting =
  | { readonly kind: 'setAcks'; readonly acks: AcksPolicy }
  | { readonly kind: 'setFailover'; readonly failover: FailoverPolicy };

/**
 * What a node was started with becomes the cluster's, once: on the primary as soon as it serves, elsewhere on the day on which that node is the
 * primary, unless the cluster has it by itself before. One entry of the log after the other.
 */
export class Settings {
  readonly #parts: ReplicaEngineParts;
  readonly #replica: Replica;
  #open: Setting[];
  #isBusy = false;

  constructor(parts: ReplicaEngineParts, replica: Replica) {
    this.#parts = parts;
    this.#replica = replica;
    const { acks, failover } = parts;
    const wanted: Setting[] = [];
    if (acks !== undefined) wanted.push({ kind: 'setAcks', acks });
    if (failover !== undefined) wanted.push({ kind: 'setFailover', failover });
    this.#open = wanted;
  }

  /** Goes on where it can. */
  apply(): void {
    const { office, configurations } = this.#replica.state;
    const [next] = this.#open;
    if (next === undefined || this.#isBusy || configurations?.open.length !== 0) return;
    const { acks, failover } = configurations.committed;
    // Also where another node set it: what the cluster has had is no wish any more, and does not undo what an operator changes later.
    if (next.kind === 'setAcks' ? next.acks === acks : next.failover === failover) {
      this.#open = this.#open.slice(1);
      return;
    }
    if (office.kind !== 'primary' || !office.isServing) return;
    this.#isBusy = true;
    void this.#replica.command(next).then((outcome) => {
      this.#isBusy = false;
      this.#settle(next, outcome);
    });
  }

  #settle(setting: Setting & Change, outcome: Refusal | CommandOutcome): void {
    const { events } = this.#parts;
    const { kind, ...value } = setting;
    const name = kind === 'setAcks' ? '--acks' : '--failover';
    if (!('code' in outcome)) {
      this.#open = this.#open.slice(1);
      events.info(value, `the setting of ${name} was changed`);
    } else if (outcome.code === 'SYNTAX') {
      this.#open = this.#open.slice(1);
      events.error(value, `the setting of ${name} stays as it is: ${outcome.message}`);
    } else {
      events.debug({ ...value, code: outcome.code }, `the setting of ${name} is tried again`);
    }
  }
}
