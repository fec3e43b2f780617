import type { ByteRange, Engine, Refusal } from '../engine.js';
import { refusal } from '../engine.js';
import { showPosition, termCount } from '../log/term.js';
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Command, RunCommand } from './command.js';
import { LISTING_COMMANDS } from './listing.js';
import { RECONFIGURING_COMMANDS } from './reconfigure.js';
import { settle } from './settle.js';
import { statusLines } from './status.js';

/** More keys than this are read in slices, and so not in one turn. */
const QUICK_KEYS_MAX = 10_000;

/** The arguments of a request: its words without the command's name. */
function argumentsOf(request: Request): readonly ByteRange[] {
  return request.words.slice(1);
}

function argument(request: Request, at: number): ByteRange {
  const word = request.words[at + 1];
  if (word === undefined) throw new Error(`word ${String(at + 1)} was not checked to be there`);
  return word;
}

const always = (): boolean => true;
const never = (): boolean => false;

/** A command that answers at once from what the engine knows. */
function answering(answer: (reply: Reply, engine: Engine) => void): Pick<RunCommand, 'isQuick' | 'run'> {
  return {
    isQuick: always,
    run(_request, engine, reply, done) {
      answer(reply, engine);
      done();
    },
  };
}

/** A command that reads the keys that are its arguments, at one state. */
function readingKeys(
  begin: (reply: Reply, count: number) => void,
  end: (reply: Reply) => void,
): Pick<RunCommand, 'isQuick' | 'run'> {
  return {
    isQuick: (request) => request.words.length <= QUICK_KEYS_MAX,
    run(request, engine, reply, done) {
      const mark = reply.length;
      begin(reply, request.words.length - 1);
      engine.readAll(argumentsOf(request), reply, (refused) => {
        finish(reply, mark, refused, end);
        done();
      });
    },
  };
}

function finish(reply: Reply, mark: number, refused: Refusal | undefined, end: (reply: Reply) => void): void {
  if (refused === undefined) {
    end(reply);
    return;
  }
  reply.rollBack(mark);
  reply.error(refused);
}

function runGet(request: Request, engine: Engine, reply: Reply, done: () => void): void {
  const key = argument(request, 0);
  const outcome = engine.read(key, reply);
  if (outcome === 'wait') {
    engine.readAll([key], reply, (refused) => {
      if (refused !== undefined) reply.error(refused);
      done();
    });
    return;
  }
  if (outcome !== 'answered') reply.error(outcome);
  done();
}

function runExists(request: Request, engine: Engine, reply: Reply, done: () => void): void {
  let found = 0;
  const counter = {
    hit: () => {
      found++;
    },
    miss: () => undefined,
    isFull: false,
  };
  engine.readAll(argumentsOf(request), counter, (refused) => {
    if (refused === undefined) reply.integer(found);
    else reply.error(refused);
    done();
  });
}

async function takeSnapshot(engine: Engine, reply: Reply): Promise<void> {
  const outcome = await engine.snapshot();
  if ('code' in outcome) reply.error(outcome);
  else reply.ok(`position=${showPosition(outcome)}`);
}

/** Every command there is, defined once: help, docs, checks and both ends of the protocol derive from it. */
export const COMMANDS: readonly Command[] = [
  {
    name: 'GET',
    shape: 'key',
    effect: 'reads',
    answers: 'the value or `NULL`',
    summary: 'Reads one key.',
    isQuick: always,
    run: runGet,
  },
  {
    name: 'PUT',
    shape: 'entry',
    effect: 'writes',
    answers: '`OK`',
    summary: 'Sets a key to a value. The value is the rest of the line.',
    operation: (request) => ({ kind: 'put', key: argument(request, 0), value: argument(request, 1) }),
    answer: (reply) => {
      reply.ok();
    },
  },
  {
    name: 'DELETE',
    shape: 'key',
    effect: 'writes',
    answers: '`OK` or `NULL`',
    summary: 'Removes one key.',
    operation: (request) => ({ kind: 'delete', keys: [argument(request, 0)] }),
    answer: (reply, count) => {
      if (count > 0) reply.ok();
      else reply.miss();
    },
  },
  {
    name: 'DEL',
    shape: 'keys',
    effect: 'writes',
    answers: 'how many there were',
    summary: 'Removes keys, all at once.',
    operation: (request) => ({ kind: 'delete', keys: argumentsOf(request) }),
    answer: (reply, count) => {
      reply.integer(count);
    },
  },
  {
    name: 'MGET',
    shape: 'keys',
    effect: 'reads',
    answers: 'a list: a value or `NULL` for each key',
    summary: 'Reads keys, all at one state of the store.',
    ...readingKeys(
      (reply, count) => {
        reply.beginList(count);
      },
      (reply) => {
        reply.endList();
      },
    ),
  },
  {
    name: 'MSET',
    shape: 'entries',
    effect: 'writes',
    answers: '`OK`',
    summary: 'Sets keys, all at once: nobody ever sees some of them.',
    operation: (request) => ({ kind: 'putMany', pairs: argumentsOf(request) }),
    answer: (reply) => {
      reply.ok();
    },
  },
  {
    name: 'EXISTS',
    shape: 'keys',
    effect: 'reads',
    answers: 'how many there are',
    summary: 'Counts which of the keys are there; a key named twice counts twice.',
    isQuick: (request) => request.words.length <= QUICK_KEYS_MAX,
    run: runExists,
  },
  ...LISTING_COMMANDS,
  {
    name: 'PING',
    shape: 'nothing',
    effect: 'reads',
    answers: '`PONG`',
    summary: 'Answers, and so shows that the server does.',
    ...answering((reply) => {
      reply.text('PONG');
    }),
  },
  {
    name: 'STATUS',
    shape: 'nothing',
    effect: 'reads',
    answers: 'a list of `name=value` lines',
    summary: 'Says how the node is: its role, positions, promises and members.',
    ...answering((reply, engine) => {
      reply.beginList();
      for (const line of statusLines(engine.status())) reply.item(line);
      reply.endList();
    }),
  },
  {
    name: 'HEARTBEAT',
    shape: 'nothing',
    effect: 'reads',
    answers: '`OK role=… term=… index=… commit=…`',
    summary: 'Says where the node is in its log.',
    ...answering((reply, engine) => {
      const { role, term, position, commit } = engine.status();
      const places = `index=${String(position.index)} commit=${String(commit)}`;
      reply.ok(`role=${role} term=${String(termCount(term))} ${places}`);
    }),
  },
  {
    name: 'SNAPSHOT',
    shape: 'nothing',
    effect: 'manages',
    answers: '`OK position=…`',
    summary: 'Writes the JSON file now.',
    isQuick: never,
    run(_request, engine, reply, done) {
      settle(takeSnapshot(engine, reply), reply, done);
    },
  },
  {
    name: 'QUIT',
    shape: 'nothing',
    effect: 'reads',
    answers: '`OK`, and the connection is closed',
    summary: 'Ends the conversation.',
    // Not quick: nothing behind it may be begun.
    isQuick: never,
    run(_request, _engine, reply, done) {
      reply.ok();
      done();
    },
  },
  ...RECONFIGURING_COMMANDS,
  {
    name: 'REPLICATE',
    shape: 'anything',
    effect: 'manages',
    answers: 'frames of the log, to a node of the cluster',
    summary: 'Opens the link between two nodes; nobody types it.',
    // The server takes what comes from a node before it gets here.
    ...answering((reply) => {
      const message = 'REPLICATE is spoken between nodes of a cluster, and this was not said by one';
      reply.error(refusal('NOT_A_PEER', `${message}: ADD_BACKUP makes a node a backup`));
    }),
  },
];
