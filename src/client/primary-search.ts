import type { Cancel, Clock } from '../clock.js';
import { parseAddress } from '../protocol/address.js';
import type { Address } from '../protocol/address.js';
import * as answers from './answers.js';
import { Backoff } from './backoff.js';
import type { BackoffLimits } from './backoff.js';
import { Call } from './call.js';
import type { CallOutcome } from './call.js';
import { KvError } from './errors.js';
import * as requests from './requests.js';
import type { ServerNode } from './server-node.js';

export interface SearchParts {
  readonly clock: Clock;
  readonly random: () => number;
  /** The delays between two questions to one node. */
  readonly backoff: BackoffLimits;
  /** How long one question may take. */
  readonly timeoutMs: number;
  /** Whether to ask again until the primary is found. Otherwise each node is asked once. */
  readonly repeats: boolean;
  /** Whom to ask first. */
  readonly nodes: () => readonly ServerNode[];
  readonly nodeAt: (address: Address) => ServerNode;
  /** A node serves as the primary of this term, as people count it. Told of each one that says so. */
  readonly found: (node: ServerNode, term: number) => void;
  /** Everybody was asked, and none is. Told where the search does not repeat. */
  readonly failed: (trouble: string) => void;
}

/** A node that was asked. */
interface Candidate {
  node: ServerNode;
  readonly backoff: Backoff;
  question: Call | undefined;
  timer: Cancel | undefined;
  /** What was found out last, when it is not the primary. */
  finding: string | undefined;
}

/**
 * Finds out which of several nodes is the primary: asks all of them for their status, and those that they name, until one
 * serves. Bounded by the nodes: each has one question under way, or waits for its next one.
 */
export class PrimarySearch {
  readonly #parts: SearchParts;
  readonly #candidates = new Map<string, Candidate>();
  #isRunning = false;

  constructor(parts: SearchParts) {
    this.#parts = parts;
  }

  /** Whether a question to this node is under way. */
  isAsking(node: ServerNode): boolean {
    return this.#candidates.get(node.name)?.question !== undefined;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** What keeps it from being found. */
  get trouble(): string {
    const findings = [...this.#candidates.values()].map(
      ({ node, finding }) => finding ?? node.trouble ?? `${node.name} has not answered yet`,
    );
    return `no primary was found: ${findings.join('; ')}`;
  }

  /** Asks everybody who is not being asked already. */
  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (const { backoff } of this.#candidates.values()) backoff.reset();
    for (const node of this.#parts.nodes()) this.#ask(node);
  }

  /** The primary is known: asks nobody again. Who can be reached may still answer, and know a newer one. */
  rest(): void {
    this.#isRunning = false;
    for (const candidate of this.#candidates.values()) {
      candidate.timer?.cancel();
      candidate.timer = undefined;
      if (candidate.question?.place === candidate.node) candidate.question.fail('ABORTED', 'no longer asked');
    }
  }

  /** Whatever this node would answer, it does not. */
  forget(node: ServerNode): void {
    this.#candidates.get(node.name)?.question?.fail('ABORTED', 'no longer asked');
  }

  /** Nobody wants to know any more. */
  stop(): void {
    this.rest();
    for (const { question } of this.#candidates.values()) question?.fail('ABORTED', 'no longer asked');
    this.#candidates.clear();
  }

  #ask(node: ServerNode): void {
    let candidate = this.#candidates.get(node.name);
    if (candidate === undefined) {
      const backoff = new Backoff(this.#parts.backoff, this.#parts.random);
      candidate = { node, backoff, question: undefined, timer: undefined, finding: undefined };
      this.#candidates.set(node.name, candidate);
    }
    if (candidate.question !== undefined || candidate.timer !== undefined) return;
    candidate.node = node;
    const asked = candidate;
    const question = new Call({
      clock: this.#parts.clock,
      request: requests.bare('reads', 'STATUS'),
      sequence: 0,
      timeoutMs: this.#parts.timeoutMs,
      onAbort: undefined,
      done: (outcome) => {
        asked.question = undefined;
        this.#hear(asked, outcome);
      },
      freed: () => undefined,
      timedOut: () => {
        node.checkSilence();
      },
    });
    question.only = { name: node.name };
    candidate.question = question;
    node.take(question);
  }

  #hear(candidate: Candidate, outcome: CallOutcome): void {
    const report = outcome instanceof KvError ? outcome : answers.status(outcome);
    if (report instanceof KvError) {
      if (report.code === 'ABORTED' || report.code === 'CLOSED') return;
      candidate.finding = report.message;
    } else {
      const { name } = candidate.node;
      const [role, service] = [report.facts.get('role'), report.facts.get('service')];
      if (role === 'primary' && service === 'serving') {
        candidate.finding = undefined;
        this.#parts.found(candidate.node, Number(report.facts.get('term')));
        return;
      }
      candidate.finding =
        role === 'primary' ? `${name} is ${service ?? 'not serving'}` : `${name} is a backup`;
      this.#askNamed(report.facts.get('primary') ?? '');
    }
    if (this.#isRunning) this.#goOn(candidate);
  }

  #askNamed(text: string): void {
    const address = parseAddress(text);
    if (!this.#isRunning || 'invalid' in address || address.port === 0) return;
    this.#ask(this.#parts.nodeAt(address));
  }

  #goOn(candidate: Candidate): void {
    if (this.#parts.repeats) {
      candidate.timer = this.#parts.clock.after(candidate.backoff.nextMs(), () => {
        candidate.timer = undefined;
        this.#ask(this.#parts.nodeAt(candidate.node.address));
      });
      return;
    }
    if ([...this.#candidates.values()].some(({ question }) => question !== undefined)) return;
    this.#isRunning = false;
    this.#parts.failed(this.trouble);
  }
}
