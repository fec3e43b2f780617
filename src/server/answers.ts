import type { RunCommand } from '../commands/command.js';
import type { Engine } from '../engine.js';
import type { Reply, Told } from '../protocol/reply.js';
import { cloneRequest, heldBytes, keptRequest } from '../protocol/request.js';
import type { Framing, Request } from '../protocol/request.js';
import type { RespVersion } from '../protocol/resp-reply.js';
import type { BudgetShare } from './buffer-budget.js';
import { PAUSE_BYTES } from './limits.js';
import { PendingRequests } from './pending.js';
import type { Pending, PendingReads, PendingWrite } from './pending.js';
import type { Replies } from './replies.js';
import type { RowReads } from './row-reads.js';
import type { ClientSession } from './session.js';

export interface AnswersParts {
  readonly engine: Engine;
  readonly replies: Replies;
  readonly session: ClientSession;
  readonly budget: BudgetShare;
  readonly reads: RowReads;
  /** Counts what is held of this client now. */
  countBytes(): void;
  /** Told after each command that was run. `isLater`: it took more than the call that ran it. */
  done(isLater: boolean): void;
}

/** A command, where its reply is written, and what was there before. */
interface Running {
  readonly command: RunCommand;
  readonly reply: Reply;
  readonly mark: number;
  readonly respVersion: RespVersion;
}

/**
 * The requests of one connection that were read and not answered. They are answered in the order in which they came: a write once the engine
 * has told its outcome, anything else when its turn comes.
 */
export class Answers {
  readonly #parts: AnswersParts;
  readonly #pending = new PendingRequests();
  #pendingBytes = 0;
  #isBlocked = false;
  #hasBarrier = false;
  #isOver = false;
  /** The command that is answering, or did last. */
  #running: Running | undefined;
  /** It did not answer within the call that ran it. */
  #isLater = false;
  readonly #done = (): void => {
    this.#isBlocked = false;
    if (this.#running !== undefined) this.#checkReply(this.#running);
    this.#parts.done(this.#isLater);
  };

  constructor(parts: AnswersParts) {
    this.#parts = parts;
  }

  /** How many requests wait. */
  get count(): number {
    return this.#pending.count;
  }

  /** What they hold. */
  get bytes(): number {
    return this.#pendingBytes;
  }

  /** A command is answering that takes more than its own turn; nothing is read, answered or sent until it is done. */
  get isBlocked(): boolean {
    return this.#isBlocked;
  }

  /** A request waits that is run once nothing is under way; nothing behind it is read. */
  get hasBarrier(): boolean {
    return this.#hasBarrier;
  }

  /** Whether a write of which the engine has not told the outcome is the next to be answered. */
  get isWriteNext(): boolean {
    const first = this.#pending.first();
    return first?.kind === 'write' && !first.isSettled;
  }

  /** Answers a write when its turn comes, if it has one. */
  await(write: PendingWrite | Told, framing: Framing): void {
    if ('code' in write) this.refuse(write, framing);
    else if (write.isSettled && this.#isNext) this.#answer(write);
    else this.#pending.push(write);
  }

  /** Answers with an error, now or once everything in front of it was answered. */
  refuse(refused: Told, framing: Framing): void {
    if (this.#isNext) this.#parts.replies.in(framing).error(refused);
    else this.#pending.push({ kind: 'refused', framing, refused });
  }

  /** Runs a command, now or once everything in front of it was answered. */
  run(command: RunCommand, request: Request): void {
    const isQuick = command.isQuick(request);
    if (this.#pending.count === 0) {
      this.#run(command, isQuick ? request : keptRequest(request));
      return;
    }
    // Nothing behind a request that is not quick is fed before it is answered: its words stay as they are.
    const kept = isQuick ? cloneRequest(request) : keptRequest(request);
    const bytes = heldBytes(request);
    this.#hasBarrier = !isQuick;
    this.#pendingBytes += bytes;
    this.#pending.push({ kind: 'run', command, request: kept, bytes, isBarrier: !isQuick });
  }

  /** Answers reads once everything in front of them was answered. */
  keep(reads: PendingReads): void {
    this.#pendingBytes += reads.unread.bytes.length;
    this.#pending.push(reads);
  }

  /** Answers whatever nothing stands in front of any more. */
  answerReady(): void {
    while (!this.#isBlocked && !this.#isOver) {
      const item = this.#pending.first();
      if (item === undefined || (item.kind === 'write' && !item.isSettled)) return;
      if (item.kind === 'reads') {
        this.#answerKept(item);
        continue;
      }
      this.#pending.shift();
      this.#answer(item);
    }
  }

  /** Nobody is left to answer. */
  over(): void {
    this.#isOver = true;
    this.#pending.clear();
  }

  get #isNext(): boolean {
    return this.#pending.count === 0 && !this.#isBlocked;
  }

  #answer(item: Exclude<Pending, PendingReads>): void {
    switch (item.kind) {
      case 'refused':
        this.#parts.replies.in(item.framing).error(item.refused);
        break;
      case 'run':
        this.#pendingBytes -= item.bytes;
        if (item.isBarrier) this.#hasBarrier = false;
        this.#run(item.command, item.request);
        break;
      case 'write':
        this.#answerWrite(item);
    }
  }

  #answerWrite({ requests, framing, answered, refused, count }: PendingWrite): void {
    const reply = this.#parts.replies.in(framing);
    for (let request = 0; request < requests; request++) {
      if (refused === undefined) answered.answer(reply, count);
      else reply.error(refused);
    }
  }

  /** Answers reads whose turn has come: together, and the one at which that ends by itself. */
  #answerKept(kept: PendingReads): void {
    const { engine, reads, replies } = this.#parts;
    const { unread } = kept;
    reads.answerKept(kept, engine, replies.row);
    const next = unread.at < unread.bytes.length ? reads.takeAlone(kept) : undefined;
    if (unread.at === unread.bytes.length) {
      this.#pending.shift();
      this.#pendingBytes -= unread.bytes.length;
    }
    if (next !== undefined) this.#run(reads.command, next);
  }

  #run(command: RunCommand, request: Request): void {
    const { engine, replies, session } = this.#parts;
    this.#isBlocked = true;
    const reply = replies.in(request.framing);
    this.#running = { command, reply, mark: reply.length, respVersion: replies.respVersion };
    this.#isLater = false;
    command.run(request, engine, reply, this.#done, session);
    this.#isLater = true;
  }

  /** Takes a reply back that is too much, and says so in its place. */
  #checkReply({ command: { effect }, reply, mark, respVersion }: Running): void {
    const { replies, budget } = this.#parts;
    // Whether all of them together hold too much only matters to one that is long.
    if (reply.length - mark > PAUSE_BYTES) this.#parts.countBytes();
    // What an operator asked for was done; that is told, and short.
    const refused = effect === 'manages' ? undefined : replies.objection(reply, mark, budget.isExceeded);
    if (refused === undefined) return;
    reply.rollBack(mark);
    replies.respVersion = respVersion;
    reply.error(refused);
  }
}
