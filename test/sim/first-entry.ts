import type { Term } from '../../src/engine.js';
import type { ControlEntry } from '../../src/log/control.js';
import type { Frame } from '../../src/log/frame.js';
import type { Inspection } from './sim-node.js';

interface Place {
  readonly term: Term;
  readonly index: number;
}

/** Holds against each other when a primary opened its term and when it changed who takes part. */
export class FirstEntry {
  #opening: Place | undefined;
  #change: Place | undefined;

  appended({ term, firstIndex: index }: Frame, control: ControlEntry | undefined): void {
    if (control?.kind === 'open') this.#opening = { term, index };
    if (control?.kind === 'configure') this.#change = { term, index };
  }

  /** Whether a primary changed who takes part while it cannot know yet what the one before it had changed. */
  isPassedOver({ role, term, commit }: Inspection): boolean {
    if (role !== 'primary' || this.#change?.term !== term || this.#opening?.term !== term) return false;
    return this.#change.index > this.#opening.index && commit < this.#opening.index;
  }
}
