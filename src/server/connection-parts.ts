import type { Socket } from 'node:net';
import type { Clock } from '../clock.js';
import type { ServerFacts } from '../commands/session.js';
import type { Engine } from '../engine.js';
import type { AfterTurn } from './after-turn.js';
import type { BufferBudget } from './buffer-budget.js';
import type { LinkAcceptor } from './handshake.js';
import type { HeldReplies } from './held-replies.js';
import type { ServerLimits } from './limits.js';
import type { Reading } from './reading.js';
import type { RowReads } from './row-reads.js';
import type { RowWrites } from './row-writes.js';

export interface ConnectionParts {
  /** Counted from 1 for each server. */
  readonly id: number;
  readonly socket: Socket;
  /** Whose memory the chunks are that it gives. */
  readonly reading: Reading;
  readonly engine: Engine;
  readonly clock: Clock;
  readonly limits: ServerLimits;
  readonly budget: BufferBudget;
  readonly facts: ServerFacts;
  /** What is read many at a time; used within one call, by whichever connection is called. */
  readonly reads: RowReads;
  /** What is written many at a time, likewise. */
  readonly writes: RowWrites;
  /** For what is to be done once in a turn, when its writes are done. */
  readonly afterTurn: AfterTurn;
  readonly held: HeldReplies;
  /** Told of requests that are begun. */
  readonly begun: (count: number) => void;
  /** Where the connection goes when it turns out to be another node's. Without it such ones are refused. */
  readonly links?: LinkAcceptor | undefined;
  /** Told once, when the connection is over, or was handed to the links. */
  closed(): void;
  /** Told of an error that nobody expected. It costs this connection, and no other. */
  defect(error: unknown): void;
}
