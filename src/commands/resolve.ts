import type { ByteRange, Refusal } from '../engine.js';
import { refusal } from '../engine.js';
import type { RequestLimits } from '../protocol/limits.js';
import type { Told } from '../protocol/reply.js';
import type { Request } from '../protocol/request.js';
import { readAddress } from './address.js';
import { usageOf } from './command.js';
import type { Command } from './command.js';
import { readScanWords } from './scan-words.js';
import { NamedCommands } from './named-commands.js';
import { COMMANDS } from './table.js';
import { isWord, shownStart, toldAsRedis } from './words.js';

const NAMES = new NamedCommands(COMMANDS);

/** The command of this name in any mix of capitals, or undefined. */
export function findCommand(name: ByteRange): Command | undefined {
  return NAMES.find(name);
}

/** Whether the second argument of this command is the rest of the line. */
export function takesRest(name: ByteRange): boolean {
  const command = findCommand(name);
  return command?.shape === 'entry' && command.framing !== 'resp';
}

/** The command that a request asks for, once its words fit it; a refusal otherwise. */
export function resolveCommand(request: Request, limits: RequestLimits): Command | Told {
  const name = request.words[0];
  if (name === undefined) return refusal('SYNTAX', 'the request is empty');
  const command = findCommand(name);
  if (command === undefined) return unknown(name, request);
  if (command.framing !== undefined && command.framing !== request.framing) return elsewhere(command);
  if (!request.terminated && command.effect !== 'reads') {
    const what = `${command.name} was cut off before the end of its line, so it was not done`;
    return refusal('SYNTAX', `${what}: end the line with a line feed`);
  }
  const words = withoutConsents(command, request.words);
  if (words === undefined || !fits(command, words.length - 1)) return unfit(command, request.words.length);
  return checkWords(command, words, limits) ?? command;
}

/** The words in front of those that consent; undefined when these are not the ones that the command knows, in their order. */
function withoutConsents(command: Command, words: readonly ByteRange[]): readonly ByteRange[] | undefined {
  const { consents = [], shape } = command;
  if (consents.length === 0) return words;
  const front = shape === 'nothing' ? 1 : 2;
  const given = words.slice(front);
  const areKnown = given.every((word, at) => consents[at] !== undefined && isWord(word, consents[at]));
  return areKnown ? words.slice(0, front) : undefined;
}

const REDIS_NAME_BYTES_MAX = 128;

function unknown(name: ByteRange, request: Request): Told {
  const known = COMMANDS.filter(({ shape, framing = request.framing }) => {
    return shape !== 'anything' && framing === request.framing;
  });
  const names = known.map((command) => command.name).join(' ');
  const end = Math.min(name.end, name.start + REDIS_NAME_BYTES_MAX);
  const called = name.bytes.toString('utf8', name.start, end);
  const redisError = `ERR unknown command '${called}', with args beginning with: ${firstArguments(request)}`;
  return toldAsRedis(
    'UNKNOWN_COMMAND',
    `there is no command ${shownStart(name)}: there are ${names}`,
    redisError,
  );
}

/** The first of the arguments in quotes, each with a blank behind it, as Redis has them in its message. */
function firstArguments({ words }: Request): string {
  let shown = '';
  for (let at = 1; at < words.length && shown.length < REDIS_NAME_BYTES_MAX; at++) {
    const word = words[at];
    if (word === undefined) break;
    const end = Math.min(word.end, word.start + REDIS_NAME_BYTES_MAX - shown.length);
    shown += `'${word.bytes.toString('utf8', word.start, end)}' `;
  }
  return shown;
}

function elsewhere({ name }: Command): Refusal {
  const message = `${name} is said in RESP, as clients of Redis speak it: in a line it is PUT key value`;
  return refusal('UNKNOWN_COMMAND', message);
}

/** More words than an entry has are Redis's options, of which there are none yet; anything else is a wrong number. */
function unfit(command: Command, words: number): Told {
  const message = `the command is written ${usageOf(command)}`;
  if (command.shape === 'entry' && words > 3) {
    return refusal('SYNTAX', `${message}: there are no options`);
  }
  const name = command.name.toLowerCase();
  return toldAsRedis('SYNTAX', message, `ERR wrong number of arguments for '${name}' command`);
}

function fits({ shape, operands }: Command, count: number): boolean {
  switch (shape) {
    case 'nothing':
      return count === 0;
    case 'key':
    case 'address':
      return count === 1;
    case 'keys':
    case 'scan':
      return count >= 1;
    case 'entry':
      return count === 2;
    case 'entries':
      return count >= 2 && count % 2 === 0;
    case 'pattern':
      return count <= 1;
    case 'words':
      return operands !== undefined && count >= operands.min && count <= operands.max;
    case 'anything':
      return true;
  }
}

function checkWords(
  { shape }: Command,
  words: readonly ByteRange[],
  limits: RequestLimits,
): Refusal | undefined {
  if (shape === 'nothing' || shape === 'anything') return undefined;
  if (shape === 'pattern') return checkPattern(words[1], limits);
  if (shape === 'scan') return checkScan(words, limits);
  if (shape === 'address') return checkAddress(words[1]);
  if (shape === 'words') return checkValues(words, limits);
  const hasValues = shape === 'entry' || shape === 'entries';
  for (let at = 1; at < words.length; at++) {
    const word = words[at];
    if (word === undefined) break;
    const length = word.end - word.start;
    if (hasValues && at % 2 === 0) {
      if (length > limits.valueBytesMax) return tooLarge('the value', length, limits.valueBytesMax);
    } else if (length === 0) {
      return refusal('SYNTAX', 'the key is empty: a key has at least one byte');
    } else if (length > limits.keyBytesMax) {
      return tooLarge('the key', length, limits.keyBytesMax);
    }
  }
  return undefined;
}

function checkPattern(pattern: ByteRange | undefined, limits: RequestLimits): Refusal | undefined {
  const length = pattern === undefined ? 0 : pattern.end - pattern.start;
  return length > limits.globBytesMax ? tooLarge('the pattern', length, limits.globBytesMax) : undefined;
}

function checkScan(words: readonly ByteRange[], limits: RequestLimits): Refusal | undefined {
  const read = readScanWords(words.slice(1));
  return 'code' in read ? read : checkPattern(read.pattern, limits);
}

function checkValues(words: readonly ByteRange[], limits: RequestLimits): Refusal | undefined {
  const longest = words.reduce((most, word) => Math.max(most, word.end - word.start), 0);
  return longest > limits.valueBytesMax ? tooLarge('the word', longest, limits.valueBytesMax) : undefined;
}

function checkAddress(word: ByteRange | undefined): Refusal | undefined {
  if (word === undefined) return undefined;
  const address = readAddress(word);
  if ('invalid' in address) return refusal('SYNTAX', address.invalid);
  if (address.port === 0) return refusal('SYNTAX', 'nobody can be reached at port 0: name the real port');
  return undefined;
}

function tooLarge(what: string, length: number, bound: number): Refusal {
  return refusal('TOO_LARGE', `${what} has ${String(length)} bytes, and ${String(bound)} is the most`);
}
