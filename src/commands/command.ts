import type { Engine, Operation, Refusal, SessionTag } from '../engine.js';
import type { Reply } from '../protocol/reply.js';
import type { Framing, Request } from '../protocol/request.js';
import type { Session } from './session.js';

/** What a command's words are. How many there may be, and which are bound as keys and values, follows from it. */
export type Shape =
  /** No words. */
  | 'nothing'
  /** One key. */
  | 'key'
  /** One key or more. */
  | 'keys'
  /** A key and a value. */
  | 'entry'
  /** A key and a value, once or more. */
  | 'entries'
  /** A pattern, or nothing. */
  | 'pattern'
  /** A cursor, and options by name. */
  | 'scan'
  /** Where another node is. */
  | 'address'
  /** What `operands` says. */
  | 'words'
  /** Whatever a later version makes of it. */
  | 'anything';

/** Words that are neither keys nor values. */
export interface Operands {
  /** As the usage shows them, such as `[message]`. */
  readonly usage: string;
  readonly min: number;
  readonly max: number;
}

interface CommandBase {
  /** In capitals. */
  readonly name: string;
  /** The only framing in which it is known, where there is one. */
  readonly framing?: Framing;
  readonly shape: Shape;
  /** With the shape `words`, and only then. */
  readonly operands?: Operands;
  /**
   * Words in capitals that may stand behind the others, each only behind the one before it: what a later one asks for goes
   * further than an earlier one, and nobody is to ask for it alone.
   */
  readonly consents?: readonly string[];
  /**
   * `reads`: changes nothing. `writes`: goes through the log. `numbers`: says which write of a session comes next, or opens one.
   * `manages`: an operator's. Only what reads is executed from a last line that was cut off.
   */
  readonly effect: 'reads' | 'writes' | 'numbers' | 'manages';
  /** What it costs beside the words of its request, as so many words more. Undefined: little. */
  readonly workWords?: number;
  /** What it answers, and what for: one line each, for help and docs. */
  readonly answers: string;
  readonly summary: string;
}

/** Goes through the log. */
export interface WriteCommand extends CommandBase {
  readonly effect: 'writes';
  operation(request: Request): Operation;
  /** Answers once the operation is applied; `count` as in the engine's `written`. */
  answer(reply: Reply, count: number): void;
}

/** What a request about sessions asks for: that one be opened, or that the next write of the connection be this one of its session. */
export type SessionRequest = 'open' | SessionTag | Refusal;

/** Opens a session, or names the next write of its connection. */
export interface SessionCommand extends CommandBase {
  readonly effect: 'numbers';
  asked(request: Request): SessionRequest;
}

/** Everything else. */
export interface RunCommand extends CommandBase {
  readonly effect: 'reads' | 'manages';
  /** Whether it answers in the turn in which it is run, so that it may stand between writes that are under way. */
  isQuick(request: Request): boolean;
  /** Calls `done` once, when the reply is complete; in the same turn if it is quick and the store is free. */
  run(request: Request, engine: Engine, reply: Reply, done: () => void, session: Session): void;
}

export type Command = WriteCommand | SessionCommand | RunCommand;

export function isWrite(command: Command): command is WriteCommand {
  return command.effect === 'writes';
}

export function isNumbering(command: Command): command is SessionCommand {
  return command.effect === 'numbers';
}

const USAGE: Record<Shape, string> = {
  nothing: '',
  key: ' key',
  keys: ' key [key …]',
  entry: ' key value',
  entries: ' key value [key value …]',
  pattern: ' [glob]',
  scan: ' cursor [MATCH glob] [COUNT n]',
  address: ' host:port',
  words: '',
  anything: ' …',
};

/** How the command is written, such as `PUT key value` or `PROMOTE [OTHERS_ARE_DOWN [ACCEPT_DATA_LOSS]]`. */
export function usageOf(command: Command): string {
  const { name, shape, operands, consents = [] } = command;
  const words = operands === undefined ? USAGE[shape] : ` ${operands.usage}`;
  return name + words + consents.map((word) => ` [${word}`).join('') + ']'.repeat(consents.length);
}
