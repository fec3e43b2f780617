import type { Position } from '../../src/engine.js';
import type { PlacedConfiguration } from '../../src/log/control.js';
import type { FenceAnswer, Message, SurveyAnswer } from '../../src/replication/message.js';
import type { PromotionAnswer } from '../../src/replication/promotion.js';
import { frameNames } from './core-search-world.js';

/** What messages say, as short texts. The numbers of attempts, probes and rounds are left to those who know which is the current one. */

type Part = string | number | boolean | undefined;

export function messageText(message: Message): string {
  const parts: Part[] = [message.kind, message.term, ...saidIn(message)];
  return parts.join();
}

function saidIn(message: Message): Part[] {
  switch (message.kind) {
    case 'heartbeat':
      return [
        place(message.last),
        message.last.checksum,
        message.commit,
        message.isServing,
        message.isMember,
      ];
    case 'probe':
      return historyOf(message.history);
    case 'probe answer':
      return [message.matched, message.durable, message.wantsSnapshot];
    case 'append': {
      const { previous, frames, commit, isServing, isMember } = message;
      return [place(previous), previous.checksum, frameNames(frames), commit, isServing, isMember];
    }
    case 'append answer':
      return [message.matched, message.durable];
    case 'snapshot part':
      return [place(message.end), placed(message.configuration), message.offset, message.isLast];
    case 'snapshot answer':
      return [place(message.end), message.offset, message.isInstalled];
    case 'survey answer':
      return [surveyText(message)];
    case 'fence':
      return [message.isHandOver, message.down.join('')];
    case 'fence answer':
      return [fenceText(message)];
    case 'fetch':
      return historyOf(message.history);
    case 'supply':
      return [place(message.previous), frameNames(message.frames)];
    case 'hand over answer':
      return [message.isReady];
    case 'left out':
      return [placed(message.configuration)];
    case 'state checksum':
    case 'state differs':
      return [place(message.end), message.end.checksum];
    case 'heartbeat answer':
    case 'mismatch':
    case 'survey':
    case 'take over':
    case 'hand over':
    case 'left out answer':
      return [];
  }
}

function historyOf({ spans, last }: Extract<Message, { kind: 'probe' }>['history']): Part[] {
  const texts = spans.map(({ term, firstIndex, isLossy }) => [term, firstIndex, isLossy].join('.'));
  return [texts.join('+'), place(last)];
}

export function surveyText(answer: SurveyAnswer): string {
  const { term, role, primary, hearsPrimary, wantsPlace, isWilling, excludedBy, peers } = answer;
  const parts: Part[] = [term, role, answerText(answer.answer), primary, hearsPrimary, wantsPlace];
  return [...parts, isWilling, placed(excludedBy), peers.map(({ node }) => node).join('')].join('.');
}

export function fenceText({ term, isGranted, reason, waitMs, answer, alive }: FenceAnswer): string {
  return [term, isGranted, reason, Math.round(waitMs), answerText(answer), alive.join('')].join('.');
}

function answerText({ last, memberships, lastPrimary, isLeftOut, isConfirmed }: PromotionAnswer): string {
  const { committed, open } = memberships;
  const known = [committed, ...open].map(({ position, members }) => place(position) + members.join(''));
  return [place(last), known.join('/'), lastPrimary, isLeftOut, isConfirmed].join('.');
}

function place(position: Position | undefined): string {
  return position === undefined ? '' : `${String(position.term)}.${String(position.index)}`;
}

function placed(configuration: PlacedConfiguration | undefined): string {
  if (configuration === undefined) return '';
  return `${place(configuration.position)}:${String(configuration.members.length)}`;
}
