import { copyRange } from '../engine.js';
import type { Engine, Refusal } from '../engine.js';
import type { Reply } from '../protocol/reply.js';
import { keptRequest } from '../protocol/request.js';
import type { Request } from '../protocol/request.js';
import type { Command, RunCommand, WriteCommand } from './command.js';
import { argument, argumentsOf } from './words.js';

/** More keys than this are read in slices, and so not in one turn. */
const QUICK_KEYS_MAX = 500;

const always = (): boolean => true;

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
      engine.readAll(argumentsOf(keptRequest(request)), reply, (refused) => {
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
    engine.readAll([copyRange(key)], reply, (refused) => {
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
  engine.readAll(argumentsOf(keptRequest(request)), counter, (refused) => {
    if (refused === undefined) reply.integer(found);
    else reply.error(refused);
    done();
  });
}

/** What PUT does, and SET. */
const SETTING: Pick<WriteCommand, 'operation' | 'answer'> = {
  operation: (request) => ({ kind: 'put', key: argument(request, 0), value: argument(request, 1) }),
  answer: (reply) => {
    reply.ok();
  },
};

/** Commands that read and write keys by their names. */
export const DATA_COMMANDS: readonly Command[] = [
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
    ...SETTING,
  },
  {
    name: 'SET',
    framing: 'resp',
    shape: 'entry',
    effect: 'writes',
    answers: '`OK`',
    summary: 'The same as PUT, as clients of Redis say it. In RESP only.',
    ...SETTING,
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
];
