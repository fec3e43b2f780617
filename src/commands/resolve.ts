import type { ByteRange, Refusal } from '../engine.js';
import { refusal } from '../engine.js';
import type { RequestLimits } from '../protocol/limits.js';
import { showWord } from '../protocol/quoting.js';
import type { Request } from '../protocol/request.js';
import { readAddress } from './address.js';
import { usageOf } from './command.js';
import type { Command, Shape } from './command.js';
import { readScanWords } from './scan-words.js';
import { COMMANDS } from './table.js';

const BY_NAME = new Map(COMMANDS.map((command) => [command.name, command]));
const NAME_BYTES_MAX = Math.max(...COMMANDS.map((command) => command.name.length));
const SHOWN_BYTES_MAX = 40;

/** The command of this name in any mix of capitals, or undefined. */
export function findCommand(name: ByteRange): Command | undefined {
  const length = name.end - name.start;
  if (length > NAME_BYTES_MAX) return undefined;
  const text = name.bytes.toString('latin1', name.start, name.end);
  return BY_NAME.get(text) ?? BY_NAME.get(text.toUpperCase());
}

/** Whether the second argument of this command is the rest of the line. */
export function takesRest(name: ByteRange): boolean {
  return findCommand(name)?.shape === 'entry';
}

/** The command that a request asks for, once its words fit it; a refusal otherwise. */
export function resolveCommand(request: Request, limits: RequestLimits): Command | Refusal {
  const name = request.words[0];
  if (name === undefined) return refusal('SYNTAX', 'the request is empty');
  const command = findCommand(name);
  if (command === undefined) return unknown(name);
  if (!request.terminated && command.effect !== 'reads') {
    const what = `${command.name} was cut off before the end of its line, so it was not done`;
    return refusal('SYNTAX', `${what}: end the line with a line feed`);
  }
  const words = withoutConsents(command, request.words);
  if (words === undefined || !fits(command.shape, words.length - 1)) {
    return refusal('SYNTAX', `the command is written ${usageOf(command)}`);
  }
  return checkWords(command.shape, words, limits) ?? command;
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

/** Whether a word that was sent is this one, in any mix of capitals. */
function isWord(sent: ByteRange, word: string): boolean {
  if (sent.end - sent.start !== word.length) return false;
  return sent.bytes.toString('latin1', sent.start, sent.end).toUpperCase() === word;
}

function unknown(name: ByteRange): Refusal {
  const isLong = name.end - name.start > SHOWN_BYTES_MAX;
  const shown = name.bytes.subarray(name.start, isLong ? name.start + SHOWN_BYTES_MAX : name.end);
  const known = COMMANDS.filter((command) => command.shape !== 'anything').map((command) => command.name);
  const what = `there is no command ${showWord(shown, false)}${isLong ? '…' : ''}`;
  return refusal('UNKNOWN_COMMAND', `${what}: there are ${known.join(' ')}`);
}

function fits(shape: Shape, count: number): boolean {
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
    case 'anything':
      return true;
  }
}

function checkWords(shape: Shape, words: readonly ByteRange[], limits: RequestLimits): Refusal | undefined {
  if (shape === 'nothing' || shape === 'anything') return undefined;
  if (shape === 'pattern') return checkPattern(words[1], limits);
  if (shape === 'scan') return checkScan(words, limits);
  if (shape === 'address') return checkAddress(words[1]);
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
