import type { Reply } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { isNumbering, isWrite, usageOf } from './command.js';
import type { Command, RunCommand } from './command.js';
import { unknownPart } from './conversation.js';
import { argumentsOf, shownStart, textOf } from './words.js';

/** How many words a command has, its name included: negative for "at least", as Redis says it. */
export function arityOf(command: Command): number {
  if (command.consents !== undefined) return command.shape === 'nothing' ? -1 : -2;
  switch (command.shape) {
    case 'nothing':
      return 1;
    case 'key':
    case 'address':
      return 2;
    case 'entry':
      return 3;
    case 'keys':
    case 'scan':
      return -2;
    case 'entries':
      return -3;
    case 'pattern':
    case 'anything':
      return -1;
    case 'words': {
      const { min, max } = command.operands ?? { min: 0, max: 0 };
      return min === max ? min + 1 : -(min + 1);
    }
  }
}

/** Which words are keys: the first, the last (negative: from the end), and the step between two. */
function keyPlaces({ shape }: Command): readonly [number, number, number] {
  if (shape === 'key' || shape === 'entry') return [1, 1, 1];
  if (shape === 'keys') return [1, -1, 1];
  return shape === 'entries' ? [1, -1, 2] : [0, 0, 0];
}

function flagsOf(command: Command): readonly string[] {
  if (isWrite(command) || isNumbering(command)) return ['write'];
  return command.effect === 'manages' ? ['admin'] : ['readonly'];
}

/** One command as `COMMAND` and `COMMAND INFO` describe it. */
function describeCommand(reply: Reply, command: Command): void {
  const name = command.name.toLowerCase();
  const empty = (): void => {
    reply.beginList(0);
    reply.endList();
  };
  reply.beginList(10);
  reply.item(name);
  reply.integer(arityOf(command));
  const flags = flagsOf(command);
  reply.beginList(flags.length);
  for (const flag of flags) reply.text(flag);
  reply.endList();
  for (const place of keyPlaces(command)) reply.integer(place);
  // Categories of access, tips, specifications of keys, and parts: there are none to tell.
  for (let more = 0; more < 4; more++) empty();
  reply.endList();
}

/** What redis-cli shows as help. */
function documentCommand(reply: Reply, command: Command): void {
  const { name, summary } = command;
  const usage = usageOf(command).slice(name.length).trim();
  reply.item(name.toLowerCase());
  reply.beginMap(usage === '' ? 3 : 4);
  reply.item('summary');
  reply.item(summary);
  reply.item('since');
  reply.item('0.1.0');
  reply.item('group');
  reply.item(command.effect === 'manages' ? 'server' : 'generic');
  if (usage !== '') {
    reply.item('arguments');
    reply.beginList(1);
    reply.beginMap(2);
    reply.item('name');
    reply.item(usage);
    reply.item('type');
    reply.item('string');
    reply.endList();
    reply.endList();
  }
  reply.endList();
}

type Part = (reply: Reply, commands: readonly Command[], named: readonly (Command | undefined)[]) => void;

const PARTS: Readonly<Record<string, Part>> = {
  COUNT: (reply, commands) => {
    reply.integer(commands.length);
  },
  LIST: (reply, commands) => {
    reply.beginList(commands.length);
    for (const { name } of commands) reply.item(name.toLowerCase());
    reply.endList();
  },
  INFO: (reply, commands, named) => {
    const described = named.length === 0 ? commands : named;
    reply.beginList(described.length);
    for (const command of described) {
      if (command === undefined) reply.miss();
      else describeCommand(reply, command);
    }
    reply.endList();
  },
  DOCS: (reply, commands, named) => {
    const described = (named.length === 0 ? commands : named).filter((command) => command !== undefined);
    reply.beginMap(described.length);
    for (const command of described) documentCommand(reply, command);
    reply.endList();
  },
};

function run(request: Request, reply: Reply, commands: readonly Command[]): void {
  const [first, ...names] = argumentsOf(request);
  const part = (textOf(first) ?? 'INFO').toUpperCase();
  const answer = Object.hasOwn(PARTS, part) ? PARTS[part] : undefined;
  if (answer === undefined) {
    reply.error(unknownPart('COMMAND', first === undefined ? '' : shownStart(first), Object.keys(PARTS)));
    return;
  }
  const named = names.map((name) => {
    const wanted = (textOf(name) ?? '').toUpperCase();
    return commands.find((command) => command.name === wanted);
  });
  answer(reply, commands, named);
}

const NAMES_MAX = 64;

/** `COMMAND`, which describes the table that it stands in itself. */
export function describingCommand(commands: () => readonly Command[]): RunCommand {
  return {
    name: 'COMMAND',
    shape: 'words',
    operands: { usage: '[part [name …]]', min: 0, max: NAMES_MAX },
    effect: 'reads',
    answers: 'a list',
    summary: 'Describes the commands, as clients of Redis ask for it.',
    // As for INFO: many may come at once.
    isQuick: () => false,
    workWords: 500,
    run(request, _engine, reply, done) {
      run(request, reply, commands());
      done();
    },
  };
}
