import type { Engine } from '../engine.js';
import { refusal } from '../engine.js';
import { showPosition } from '../log/term.js';
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import type { Command, RunCommand } from './command.js';
import { CONVERSATION_COMMANDS } from './conversation.js';
import { DATA_COMMANDS } from './data.js';
import { describingCommand } from './describing.js';
import { compileGlob, matchesGlob } from './glob.js';
import { INFORMATION_COMMANDS } from './information.js';
import { RECONFIGURING_COMMANDS } from './reconfigure.js';
import { settle } from './settle.js';

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

/** Comparisons of one page of keys with a pattern, so that no page takes long. */
const COMPARISONS_A_PAGE = 8_000_000;

async function listKeys(request: Request, engine: Engine, reply: Reply): Promise<void> {
  const word = request.words[1];
  const glob = word && compileGlob(word.bytes.subarray(word.start, word.end));
  const keyBytesMax = glob && Math.ceil(COMPARISONS_A_PAGE / Math.max(1, glob.places.length));
  const mark = reply.length;
  reply.beginList();
  for await (const page of engine.scan(0, keyBytesMax)) {
    if ('code' in page) {
      reply.rollBack(mark);
      reply.error(page);
      return;
    }
    for (const key of page.keys) {
      if (glob === undefined || matchesGlob(glob, key)) reply.key(key, 0, key.length);
    }
    if (reply.isFull) {
      reply.rollBack(mark);
      reply.error(
        refusal('TOO_LARGE', 'the list is longer than a reply may be: give KEYS a narrower pattern'),
      );
      return;
    }
  }
  reply.endList();
}

async function takeSnapshot(engine: Engine, reply: Reply): Promise<void> {
  const outcome = await engine.snapshot();
  if ('code' in outcome) reply.error(outcome);
  else reply.ok(`position=${showPosition(outcome)}`);
}

/** Every command there is, defined once: help, docs, checks and both ends of the protocol derive from it. */
export const COMMANDS: readonly Command[] = [
  ...DATA_COMMANDS,
  {
    name: 'KEYS',
    shape: 'pattern',
    effect: 'reads',
    answers: 'a list, in no promised order',
    summary: 'Lists the keys, or those that match a pattern of `*`, `?`, `[a-z]`, `[^a]`, `\\`.',
    isQuick: never,
    run(request, engine, reply, done) {
      settle(listKeys(request, engine, reply), reply, done);
    },
  },
  {
    name: 'DBSIZE',
    shape: 'nothing',
    effect: 'reads',
    answers: 'how many keys there are',
    summary: 'Counts the keys.',
    ...answering((reply, engine) => {
      const count = engine.count();
      if (typeof count === 'number') reply.integer(count);
      else reply.error(count);
    }),
  },
  ...CONVERSATION_COMMANDS,
  ...INFORMATION_COMMANDS,
  describingCommand(() => COMMANDS),
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
