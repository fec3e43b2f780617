import { isNumbering, isWrite } from '../../src/commands/command.js';
import { findCommand, resolveCommand, takesRest } from '../../src/commands/resolve.js';
import type { ByteRange, Operation } from '../../src/engine.js';
import { DEFAULT_REQUEST_LIMITS } from '../../src/protocol/limits.js';
import { isViolation } from '../../src/protocol/request.js';
import { RequestReader } from '../../src/protocol/request-reader.js';

export interface Effect {
  /** Requests, and bytes that are none. */
  readonly inputs: number;
  /** Among them, what was not a request. */
  readonly violations: number;
  readonly writes: number;
}

function text(word: ByteRange): string {
  return word.bytes.toString('latin1', word.start, word.end);
}

/** What the bytes of a whole connection do to a map when they come in one piece, one request after the other. */
export function applyStream(stream: Buffer, content: Map<string, string>): Effect {
  const reader = new RequestReader({ limits: DEFAULT_REQUEST_LIMITS, takesRest });
  const effect = { inputs: 0, violations: 0, writes: 0 };
  // No session that is named here is open, so what is to be a write of one is not done.
  let isNamed = false;
  reader.feed(stream);
  for (const isEnd of [false, true]) {
    if (isEnd) reader.end();
    for (let outcome = reader.next(); outcome !== undefined; outcome = reader.next()) {
      effect.inputs++;
      if (isViolation(outcome)) {
        effect.violations++;
        isNamed = namesNext(outcome.name) ?? isNamed;
        continue;
      }
      const command = resolveCommand(outcome, DEFAULT_REQUEST_LIMITS);
      const isOfNoSession = isNamed;
      const isOpening = !('code' in command) && isNumbering(command) && command.asked(outcome) === 'open';
      if (!isOpening) isNamed = namesNext(outcome.words[0]) ?? isNamed;
      if ('code' in command) continue;
      if (command.name === 'QUIT') return effect;
      if (!isWrite(command)) continue;
      effect.writes++;
      if (!isOfNoSession) apply(command.operation(outcome), content);
    }
  }
  return effect;
}

/** Whether the next write is one of a session, behind a request of this name; undefined where that stays as it is. */
function namesNext(name: ByteRange | undefined): boolean | undefined {
  const command = name === undefined ? undefined : findCommand(name);
  if (command === undefined || !(isWrite(command) || isNumbering(command))) return undefined;
  return isNumbering(command);
}

function apply(operation: Operation, content: Map<string, string>): void {
  switch (operation.kind) {
    case 'put':
      content.set(text(operation.key), text(operation.value));
      break;
    case 'putMany':
      for (let at = 0; at < operation.pairs.length; at += 2) {
        content.set(text(operation.pairs[at]!), text(operation.pairs[at + 1]!));
      }
      break;
    case 'delete':
      for (const key of operation.keys) content.delete(text(key));
  }
}
