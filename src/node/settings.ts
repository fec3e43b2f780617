import type { AcksPolicy, FailoverPolicy, Refusal } from '../engine.js';
import type { Change, CommandOutcome } from '../replication/state.js';
import type { ReplicaEngineParts } from './engine-parts.js';
import type { Replica } from './replica.js';

type Setting =
  | { readonly kind: 'setAcks'; readonly acks: AcksPolicy }
  | { readonly kind: 'setFailover'; readonly failover: FailoverPolicy };

/**
 * What a primary was started with becomes the cluster's once it serves, one entry of the log after the other. On any other node it waits for
 * the day on which that node is the primary, but for one that began as a backup.
 */
export class Settings {
  readonly #parts: ReplicaEngineParts;
  readonly #replica: Replica;
  #open: Setting[];
  #isBusy = false;

  constructor(parts: ReplicaEngineParts, replica: Replica) {
    this.#parts = parts;
    this.#replica = replica;
    const { acks, failover, state } = parts;
    const wanted: Setting[] = [];
    if (acks !== undefined) wanted.push({ kind: 'setAcks', acks });
    if (failover !== undefined) wanted.push({ kind: 'setFailover', failover });
    this.#open = state.role === 'primary' ? wanted : [];
  }

  /** Goes on where it can. */
  apply(): void {
    const { office, configurations } = this.#replica.state;
    const [next] = this.#open;
    if (next === undefined || this.#isBusy) return;
    if (office.kind !== 'primary' || !office.isServing || configurations?.open.length !== 0) return;
    const { acks, failover } = configurations.committed;
    if (next.kind === 'setAcks' ? next.acks === acks : next.failover === failover) {
      this.#open = this.#open.slice(1);
      return;
    }
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
