import { showPosition } from '../../src/log/term.js';
import { positionOf } from '../../src/log/history.js';
import type { Message } from '../../src/replication/message.js';

/** One line for people, which is also what the trace of a run is made of. */
export function showMessage(from: string, to: string, message: Message): string {
  return `${from}>${to} ${message.kind} t${String(message.term)}${details(message)}`;
}

function details(message: Message): string {
  switch (message.kind) {
    case 'heartbeat':
      return ` last ${showPosition(message.last)} commit ${String(message.commit)} round ${String(message.round)}`;
    case 'heartbeat answer':
      return ` round ${String(message.round)}`;
    case 'probe':
      return ` ${showPosition(message.history.last)}`;
    case 'append': {
      const last = message.frames.at(-1);
      const reach = last === undefined ? 'nothing' : showPosition(positionOf(last));
      return ` after ${showPosition(message.previous)} to ${reach} commit ${String(message.commit)}`;
    }
    case 'append answer':
      return ` durable ${String(message.durable)}`;
    case 'probe answer':
      return ` matched ${String(message.matched)} durable ${String(message.durable)}${message.wantsSnapshot ? ' wants snapshot' : ''}`;
    case 'snapshot part':
    case 'snapshot answer':
      return ` ${showPosition(message.end)} at ${String(message.offset)}`;
    case 'fence answer':
      return ` ${message.isGranted ? 'granted' : `refused: ${String(message.reason)}`}`;
    case 'hand over answer':
      return ` ${message.isReady ? 'ready' : `refused: ${String(message.reason)}`}`;
    case 'survey answer':
      return ` ${message.role} last ${showPosition(message.answer.last)}`;
    default:
      return '';
  }
}
