import { isNumbering, isWrite } from '../commands/command.js';
import { resolveCommand, takesRest } from '../commands/resolve.js';
import { refusal } from '../engine.js';
import { RequestReader } from '../protocol/request-reader.js';
import { isViolation } from '../protocol/request.js';
import type { Request, Violation } from '../protocol/request.js';
import { afterWork } from './after-work.js';
import { Answers } from './answers.js';
import { BudgetShare } from './buffer-budget.js';
import type { ConnectionParts } from './connection-parts.js';
import { destroyWhenIdle, endWhenSent } from './idle.js';
import { PAUSE_BYTES } from './limits.js';
import { BUFFERS_FULL, Replies } from './replies.js';
import { readReplicate } from './replicate.js';
import { ClientSession } from './session.js';
import { Submissions } from './submissions.js';
import { TurnShare } from './turn-share.js';

/** Words of requests that one client has read in one turn. */
const WORDS_A_TURN = 25_000;
/** What a request costs beside its words, as so many words more. */
const WORDS_A_REQUEST = 8;
const WORDS_A_ROW_REQUEST = WORDS_A_REQUEST + 3;

/** Replies that wait for the end of a turn, or for the answer to a write. */
const HELD_BYTES_MAX = 32 * 1024;

/**
 * One client. Its requests take effect in the order in which they came, and are answered in that order.
 *
 * Writes are handed to the engine as they come, many at a time. A quick request behind them waits in the queue and
 * is run when the write before it was applied, before the next one is. Any other request waits until nothing is
 * under way, and nothing behind it is read until it is answered.
 *
 * Replies gather in one buffer and leave with one write a turn.
 */
export class Connection {
  readonly #parts: ConnectionParts;
  readonly #reader: RequestReader;
  readonly #replies: Replies;
  readonly #session: ClientSession;
  /** What is done for this client in one turn, in words of its requests. */
  readonly #share: TurnShare;
  /** Read and not answered. */
  readonly #answers: Answers;
  readonly #writes: Submissions;
  /** The client ended its side; what it sent before is still answered. */
  #isInputEnded = false;
  /** No more requests are read: there are none, the client broke the protocol, or the server stops. */
  #isReadOut = false;
  /** This side is ended, or the client is gone: nothing is sent any more. */
  #isEnded = false;
  /** Nothing was asked yet. */
  #isFresh = true;
  #isFlushQueued = false;
  #isPaused = false;
  #incompleteSinceMs: number | undefined;
  readonly #flushQueued = (): void => {
    this.#isFlushQueued = false;
    if (this.#isPaused || this.#reader.hasUnread) this.#goOn();
    else if (this.#mayHold) this.#parts.held.add(this.#flushHeld);
    else this.#flush();
  };
  readonly #flushHeld = (): void => {
    this.#flush();
  };
  readonly #budget: BudgetShare;
  readonly #listeners = {
    data: (chunk: Buffer) => {
      this.#receive(chunk);
    },
    end: () => {
      this.#isInputEnded = true;
      this.#reader.end();
      this.#goOn();
    },
    drain: () => {
      this.#goOn();
    },
    // A reset is the client's way of leaving; `close` follows.
    error: () => undefined,
    close: () => {
      this.#over();
    },
  };

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    const { socket, limits } = parts;
    this.#budget = new BudgetShare(parts.budget);
    this.#reader = new RequestReader({ limits: limits.request, takesRest });
    const goOn = (): void => {
      if (!this.#isEnded) this.#goOn();
    };
    this.#share = new TurnShare(parts.clock, WORDS_A_TURN, goOn);
    this.#replies = new Replies(socket, parts.clock, limits.unreadReplyBytesMax, goOn);
    this.#writes = new Submissions(parts.engine, () => {
      this.#guard(() => {
        this.#answers.answerReady();
        this.#queueFlush();
      });
    });
    this.#session = new ClientSession(parts.id, socket, this.#replies, parts.clock, parts.facts);
    this.#answers = new Answers({
      engine: parts.engine,
      replies: this.#replies,
      session: this.#session,
      budget: this.#budget,
      reads: parts.reads,
      countBytes: () => {
        this.#countBytes();
      },
      done: (isLater) => {
        this.#ranCommand(isLater);
      },
    });
    socket.setNoDelay(true);
    for (const [event, listener] of Object.entries(this.#listeners)) socket.on(event, listener);
  }

  /** Answers what was read, reads no more, and closes. */
  stop(): void {
    this.#isReadOut = true;
    this.#flush();
  }

  /** Lets go of the client at once. */
  destroy(): void {
    this.#parts.socket.destroy();
  }

  /** Gives up on a request that was begun too long ago. Called now and then. */
  checkTime(nowMs: number): void {
    const { incompleteRequestMs } = this.#parts.limits;
    // A client that takes the last bytes of a reply is heard of in no other way.
    this.#countBytes();
    // While nothing is read here, it is not the client that is late.
    if (this.#incompleteSinceMs !== undefined && !this.#mayRead) this.#incompleteSinceMs = nowMs;
    if (this.#incompleteSinceMs === undefined || nowMs - this.#incompleteSinceMs < incompleteRequestMs) {
      return;
    }
    this.#incompleteSinceMs = undefined;
    this.#violated(
      this.#fatal('SYNTAX', `the request was not complete after ${String(incompleteRequestMs / 1000)} s`),
    );
    this.#flush();
  }

  #ranCommand(isLater: boolean): void {
    if (this.#session.isEnding) this.#isReadOut = true;
    if (!isLater) return;
    // What takes several turns may end in one with the next of its kind: no two in one turn.
    this.#share.rest();
    this.#answers.answerReady();
    this.#goOn();
  }

  #receive(chunk: Buffer): void {
    if (this.#isReadOut) return;
    this.#reader.feed(chunk, this.#parts.reading.isLending);
    this.#goOn();
    this.#reader.keepUnread();
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#parts.defect(error);
      this.destroy();
    }
  }

  /** Reads on and sends what there is. Called whenever something may have changed. */
  #goOn(): void {
    this.#guard(() => {
      do {
        this.#read();
        this.#flushInTime();
        // The kernel may have taken at once what was in the way of reading on, and no `drain` tells of that.
      } while (this.#isPaused && this.#mayRead);
    });
  }

  /** Takes requests from the reader for as long as they may be begun. */
  #read(): void {
    while (this.#mayRead) {
      if (this.#readRow()) continue;
      const outcome = this.#reader.next();
      if (outcome === undefined) {
        // A long request is read in pieces, and everybody else has a turn between two of them.
        if (this.#reader.isUnfinished) this.#share.rest();
        else if (this.#isInputEnded) this.#isReadOut = true;
        break;
      }
      if (isViolation(outcome)) this.#violated(outcome);
      else this.#begin(outcome);
      this.#isFresh = false;
      if (this.#replies.length >= PAUSE_BYTES) this.#flush();
    }
    this.#noteProgress();
  }

  /**
   * Takes requests that came together and are of one kind all at a time: at pipeline 64 a GET cost 1.1 µs of CPU one by one, and 0.7
   * so. False when there are none, or the next one has to be looked at by itself.
   */
  #readRow(): boolean {
    const count = this.#answerReads() || this.#submitPuts();
    if (count === 0) return false;
    this.#incompleteSinceMs = undefined;
    this.#isFresh = false;
    this.#parts.begun(count);
    this.#share.spend(count * WORDS_A_ROW_REQUEST);
    if (this.#replies.length >= PAUSE_BYTES) this.#flush();
    return true;
  }

  #answerReads(): number {
    const { engine, reads, limits } = this.#parts;
    const { count } = this.#answers;
    if (count === 0) return reads.answer(this.#reader, engine, this.#replies.row);
    const kept = reads.keep(this.#reader, limits.pendingRequestsMax - count);
    if (kept === undefined) return 0;
    this.#answers.keep(kept);
    return kept.requests;
  }

  #submitPuts(): number {
    const { writes, limits } = this.#parts;
    const write = writes.submit(this.#reader, this.#writes, limits.pendingRequestsMax - this.#answers.count);
    if (write === undefined) return 0;
    this.#answers.await(write, write.framing);
    return write.requests;
  }

  get #mayRead(): boolean {
    if (this.#isReadOut || this.#answers.isBlocked || this.#answers.hasBarrier || this.#share.isSpent)
      return false;
    if (this.#answers.count >= this.#parts.limits.pendingRequestsMax) return false;
    return this.#answers.bytes < PAUSE_BYTES && this.#replies.unreadBytes < PAUSE_BYTES;
  }

  #noteProgress(): void {
    const { clock, socket } = this.#parts;
    if (this.#reader.partialBytes === 0) this.#incompleteSinceMs = undefined;
    else this.#incompleteSinceMs ??= clock.nowMs();
    this.#countBytes();
    if (this.#budget.isExceeded && this.#reader.partialBytes > 0 && !this.#isReadOut) {
      this.#violated(this.#fatal('BUSY', BUFFERS_FULL));
    }
    // What was left in the reader must not grow: the kernel keeps the rest, and the client notices.
    const mustPause = !this.#isReadOut && !this.#mayRead;
    if (mustPause === this.#isPaused) return;
    this.#isPaused = mustPause;
    if (mustPause) socket.pause();
    else socket.resume();
  }

  #countBytes(): void {
    const { partialBytes, unreadBytes } = this.#reader;
    this.#budget.count(partialBytes + unreadBytes + this.#answers.bytes + this.#replies.unreadBytes);
  }

  #begin(request: Request): void {
    this.#incompleteSinceMs = undefined;
    this.#parts.begun(1);
    const command = resolveCommand(request, this.#parts.limits.request);
    const isRefused = 'code' in command;
    this.#share.spend(WORDS_A_REQUEST + request.words.length + (isRefused ? 0 : (command.workWords ?? 0)));
    if (isRefused) {
      this.#writes.passedOver(request.words[0], command);
      this.#answers.refuse(command, request.framing);
    } else if (command.name === 'REPLICATE') this.#replicate(request);
    else if (isWrite(command)) this.#answers.await(this.#writes.write(command, request), request.framing);
    else if (isNumbering(command))
      this.#answers.await(this.#writes.number(command, request), request.framing);
    else this.#answers.run(command, request);
  }

  /** Another node opens a link: from here on the connection is the links' own. */
  #replicate(request: Request): void {
    const { socket, links } = this.#parts;
    const opening = readReplicate(request, this.#isFresh);
    if ('fault' in opening) {
      const refused = refusal('NOT_A_PEER', opening.fault);
      if (opening.isOfNode) links?.turnedDown(socket, refused);
      this.#answers.refuse(refused, request.framing);
      return;
    }
    if (links === undefined) {
      this.#answers.refuse(
        refusal('NOT_A_PEER', 'this server takes no links from other nodes'),
        request.framing,
      );
      return;
    }
    const rest = this.#reader.takeUnread();
    this.#parts.reading.lendNoMore();
    for (const [event, listener] of Object.entries(this.#listeners)) socket.off(event, listener);
    this.#over();
    links.accept(socket, opening, rest);
  }

  #violated(violation: Violation): void {
    this.#share.spend(WORDS_A_REQUEST);
    this.#writes.passedOver(violation.name, violation.refusal);
    this.#answers.refuse(violation.refusal, violation.framing);
    if (violation.fatal) this.#isReadOut = true;
  }

  /** Sends what gathered, once the work that is under way in this turn is done. */
  #queueFlush(): void {
    if (this.#isFlushQueued || this.#isEnded) return;
    this.#isFlushQueued = true;
    afterWork(this.#flushQueued);
  }

  /**
   * Sends what gathered at the end of this turn, when the others send as well and the writes are done that were read in it. Whoever is sent
   * to wakes up, and costs the sender that; one who is awake still costs less: 10.0 µs of CPU a GET in place of 12.3, and 1.23 in place of
   * 1.53 where 16 of them come at a time.
   */
  #flushInTime(): void {
    const { length } = this.#replies;
    if (length === 0 || length > HELD_BYTES_MAX || this.#isPaused || this.#isReadOut) this.#flush();
    else if (!this.#isFlushQueued) {
      this.#isFlushQueued = true;
      this.#parts.afterTurn.add(this.#flushQueued);
    }
  }

  get #mayHold(): boolean {
    const { length } = this.#replies;
    return length > 0 && length <= HELD_BYTES_MAX && !this.#isReadOut && this.#answers.isWriteNext;
  }

  #flush(): void {
    // A command that has not finished may still take its reply back.
    if (this.#isEnded || this.#answers.isBlocked) return;
    if (this.#replies.length > 0) {
      this.#replies.send();
      this.#countBytes();
    }
    if (!this.#isReadOut || this.#answers.count > 0) return;
    if (this.#replies.length === 0) this.#end();
    else destroyWhenIdle(this.#parts.socket, this.#parts.limits.incompleteRequestMs);
  }

  #end(): void {
    this.#isEnded = true;
    endWhenSent(this.#parts.socket, this.#parts.clock, this.#parts.limits.incompleteRequestMs);
  }

  /** The socket is closed: nobody is left to answer. */
  #over(): void {
    this.#isEnded = true;
    this.#isReadOut = true;
    this.#answers.over();
    this.#writes.clear();
    this.#budget.leave();
    this.#parts.closed();
  }

  /** A violation by the request that is not complete. */
  #fatal(code: 'SYNTAX' | 'BUSY', message: string): Violation {
    return { framing: this.#reader.framing, refusal: refusal(code, message), fatal: true };
  }
}
