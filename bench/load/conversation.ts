import { SeededRandom } from '../../src/cli/bench/random.js';
import type { Endpoint } from '../server-process.js';
import { EtcdConversation } from './etcd-conversation.js';
import { TextConversation, memcachedForms, respForms } from './text-conversation.js';

/** What the clients of a load do, in numbers and words that fit on a command line. */
export interface LoadPlan extends Endpoint {
  readonly protocol: 'resp' | 'memcached' | 'etcd';
  /** Connections of each process. */
  readonly clients: number;
  /** Requests that leave together, and are answered before the next ones leave. */
  readonly pipeline: number;
  readonly readsPercent: number;
  readonly keys: number;
  readonly valueBytes: number;
  /** One key after the other, so that all are set. */
  readonly isInOrder?: boolean;
  /** Ends each batch with `WAIT 1`, so that a replica of Redis has it before the next one. */
  readonly isWaitedFor?: boolean;
}

/** One connection's part of a protocol. One batch is under way at a time. */
export interface Conversation {
  /** What is said before anything else. */
  readonly greeting: Buffer;
  /** The next batch, borrowed until it is answered. */
  ask(): Buffer;
  /**
   * Takes what has arrived, which is borrowed. Answers whether the batch is answered now.
   *
   * @throws Error for an answer that is not the one that was asked for.
   */
  take(chunk: Buffer): boolean;
}

/** Decides what each request is. */
export interface Choice {
  isRead(): boolean;
  key(): number;
}

/** @param say - writes what has to be said between two batches. */
export function conversationOf(plan: LoadPlan, choice: Choice, say: (bytes: Buffer) => void): Conversation {
  switch (plan.protocol) {
    case 'resp':
      return new TextConversation(respForms(plan), plan, choice);
    case 'memcached':
      return new TextConversation(memcachedForms(plan), plan, choice);
    case 'etcd':
      return new EtcdConversation(plan, choice, say);
  }
}

/** The choices of all clients of one process. */
export function choiceOf({ readsPercent, keys, isInOrder = false }: LoadPlan, seed: number): Choice {
  const random = new SeededRandom(seed);
  let next = 0;
  return {
    isRead: () => random.below(100) < readsPercent,
    key: () => (isInOrder ? next++ % keys : random.below(keys)),
  };
}
