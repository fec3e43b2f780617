import type { Engine } from '../engine.js';
import { refusal } from '../engine.js';
import { showPosition } from '../log/term.js';
import type { Reply } from '../protocol/reply.js';
import type { Command, RunCommand } from './command.js';
import { CONVERSATION_COMMANDS } from './conversation.js';
import { DATA_COMMANDS } from './data.js';
import { describingCommand } from './describing.js';
import { INFORMATION_COMMANDS } from './information.js';
import { LISTING_COMMANDS } from './listing.js';
import { RECONFIGURING_COMMANDS } from './reconfigure.js';
import { SESSION_COMMAND } from './sessions.js';
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

async function takeSnapshot(engine: Engine, reply: Reply): Promise<void> {
  const outcome = await engine.snapshot();
  if ('code' in outcome) reply.error(outcome);
  else reply.ok(`position=${showPosition(outcome)}`);
}

/** Every command there is, defined once: help, docs, checks and both ends of the protocol derive from it. */
export const COMMANDS: readonly Command[] = [
  ...DATA_COMMANDS,
  SESSION_COMMAND,
  ...LISTING_COMMANDS,
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
