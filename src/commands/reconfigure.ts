import type { ByteRange, Engine, Reconfiguration, Reconfigured } from '../engine.js';
import { showPosition, termCount } from '../log/term.js';
import { showAddress } from '../protocol/address.js';
import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { readAddress } from './address.js';
import type { RunCommand } from './command.js';
import { settle } from './settle.js';

/** An operator's command that changes who takes part. What stands behind it waits until it is answered. */
function reconfiguring(
  readChange: (request: Request) => Reconfiguration,
  fields: (done: Reconfigured) => string | undefined,
): Pick<RunCommand, 'isQuick' | 'run'> {
  return {
    isQuick: () => false,
    run(request, engine, reply, done) {
      settle(reconfigure(engine, readChange(request), reply, fields), reply, done);
    },
  };
}

async function reconfigure(
  engine: Engine,
  change: Reconfiguration,
  reply: Reply,
  fields: (done: Reconfigured) => string | undefined,
): Promise<void> {
  const outcome = await engine.reconfigure(change);
  if ('code' in outcome) reply.error(outcome);
  else reply.ok(fields(outcome));
}

export const RECONFIGURING_COMMANDS: readonly RunCommand[] = [
  {
    name: 'ADD_BACKUP',
    shape: 'address',
    effect: 'manages',
    answers: '`OK state=learner`',
    summary: 'Adds a backup: it is sent everything, and counted once it has caught up.',
    ...reconfiguring(
      (request) => ({ kind: 'addBackup', address: addressOf(request) }),
      () => 'state=learner',
    ),
  },
  {
    name: 'REMOVE_BACKUP',
    shape: 'address',
    consents: ['BACKUP_IS_DOWN'],
    effect: 'manages',
    answers: '`OK`',
    summary: 'Removes a backup: it is counted no more, and is told so, unless it is down.',
    ...reconfiguring(
      (request) => ({
        kind: 'removeBackup',
        address: addressOf(request),
        backupIsDown: request.words.length > 2,
      }),
      () => undefined,
    ),
  },
  {
    name: 'PROMOTE',
    shape: 'nothing',
    consents: ['OTHERS_ARE_DOWN', 'ACCEPT_DATA_LOSS'],
    effect: 'manages',
    answers: '`OK role=primary term=… position=… …`',
    summary: 'Makes this node the primary; see below.',
    ...reconfiguring(
      (request) => ({
        kind: 'promote',
        othersAreDown: request.words.length > 1,
        acceptDataLoss: request.words.length > 2,
      }),
      promotionFields,
    ),
  },
];

/** As others are to write it: the words were checked before. */
function addressOf(request: Request): string {
  const word: ByteRange | undefined = request.words[1];
  const address = word && readAddress(word);
  if (address === undefined || 'invalid' in address) throw new Error('the address was not checked');
  return showAddress(address);
}

/** What PROMOTE answers: the new term, what was found on the members, and what became of them. */
function promotionFields({ status, found, leftOut, handedOverBy, knownUpTo }: Reconfigured): string {
  const answers = found.map(({ address, position }) => {
    return `${address}@${position === undefined ? 'none' : showPosition(position)}`;
  });
  return [
    `role=${status.role}`,
    `term=${String(termCount(status.term))}`,
    `position=${showPosition(status.position)}`,
    ...(answers.length === 0 ? [] : [`found=${answers.join(',')}`]),
    ...(leftOut.length === 0 ? [] : [`left_out=${leftOut.join(',')}`]),
    ...(handedOverBy === undefined ? [] : [`handed_over_by=${handedOverBy}`]),
    ...(knownUpTo === undefined ? [] : [`known_up_to=${showPosition(knownUpTo)}`]),
  ].join(' ');
}
