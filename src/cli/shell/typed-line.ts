import { usageOf } from '../../commands/command.js';
import type { Command } from '../../commands/command.js';
import { findCommand, resolveCommand, takesRest } from '../../commands/resolve.js';
import { COMMANDS } from '../../commands/table.js';
import type { ByteRange, Refusal } from '../../engine.js';
import { parseAddress } from '../../protocol/address.js';
import { isBlank } from '../../protocol/byte.js';
import { parseLine } from '../../protocol/line.js';
import { DEFAULT_REQUEST_LIMITS } from '../../protocol/limits.js';
import { showWord } from '../../protocol/quoting.js';
import type { Request } from '../../protocol/request.js';
import { closest } from '../closest.js';
import { OWN_WORDS, usageOfOwn } from './own-words.js';
import type { OwnWord } from './own-words.js';
import { typedWords } from './typed-words.js';

/** Why a line cannot be done, and which of its bytes show it; none of them where something is missing. */
export interface LineFault {
  readonly code: string;
  readonly message: string;
  readonly start: number;
  readonly end: number;
}

/** What a line of the shell asks for. */
export type TypedLine =
  /** Nothing, or a remark behind `#`. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'own'; readonly word: OwnWord; readonly operands: readonly string[] }
  /** For the server. The words are copies of what was typed, the command's name the first of them. */
  | { readonly kind: 'command'; readonly command: Command; readonly words: readonly Buffer[] }
  | { readonly kind: 'fault'; readonly fault: LineFault; readonly word?: OwnWord };

const HASH = 0x23;
const GRAMMAR = { limits: DEFAULT_REQUEST_LIMITS, takesRest };
const SHOWN_BYTES_MAX = 40;

/**
 * Reads a line as the server would, so that what works in netcat works here, and finds out what is wrong with it before
 * anything is sent.
 *
 * @param terminated - false for a line that the end of the input cut off.
 */
export function readTypedLine(line: Buffer, terminated = true): TypedLine {
  const first = line.findIndex((byte) => !isBlank(byte));
  if (first === -1 || line[first] === HASH) return { kind: 'nothing' };
  const request = parseLine(line, 0, line.length, terminated, GRAMMAR);
  if ('refusal' in request) {
    const { code, message } = request.refusal;
    return fault(code, message, request.at, Math.min(request.at + 1, line.length));
  }
  const own = ownWord(request);
  if (own !== undefined) return readOwn(own, request, line);
  const command = resolveCommand(request, DEFAULT_REQUEST_LIMITS);
  if ('code' in command) return { kind: 'fault', fault: refusedFault(command, request, line) };
  const words = request.words.map(({ bytes, start, end }) => Buffer.from(bytes.subarray(start, end)));
  return { kind: 'command', command, words };
}

function fault(code: string, message: string, start: number, end: number): TypedLine {
  return { kind: 'fault', fault: { code, message, start, end } };
}

function textOf({ bytes, start, end }: ByteRange): string {
  return bytes.toString('utf8', start, end);
}

function shown({ bytes, start, end }: ByteRange): string {
  const isLong = end - start > SHOWN_BYTES_MAX;
  const text = showWord(bytes.subarray(start, isLong ? start + SHOWN_BYTES_MAX : end), false);
  return isLong ? `${text}…` : text;
}

function ownWord({ words }: Request): OwnWord | undefined {
  const name = words[0] === undefined ? '' : textOf(words[0]).toUpperCase();
  return OWN_WORDS.find((word) => word.name === name);
}

function readOwn(word: OwnWord, request: Request, line: Buffer): TypedLine {
  const operands = request.words.slice(1);
  const usage = usageOfOwn(word);
  const refuse = (message: string, at: number): TypedLine => {
    return { kind: 'fault', fault: atWord('SYNTAX', message, at, line), word };
  };
  const extra = operands[word.operandsMax];
  if (extra !== undefined) return refuse(`${shown(extra)} is too much: ${usage}`, word.operandsMax + 1);
  if (operands.length < word.operandsMin) {
    return refuse(`${word.operands} is missing: ${usage}`, operands.length + 1);
  }
  const texts = operands.map(textOf);
  const objection = word.name === 'CONNECT' ? objectionTo(texts[0] ?? '') : undefined;
  return objection === undefined ? { kind: 'own', word, operands: texts } : refuse(objection, 1);
}

/** Why nobody can connect there; undefined when one can try. */
function objectionTo(text: string): string | undefined {
  const address = parseAddress(text);
  if ('invalid' in address) return address.invalid;
  return address.port === 0 ? 'nobody can be reached at port 0: name the real port' : undefined;
}

/** Puts a refusal of the command table into words that fit the place that it is about. */
function refusedFault(refused: Refusal, request: Request, line: Buffer): LineFault {
  const name = request.words[0];
  const command = name === undefined ? undefined : findCommand(name);
  if (name === undefined || command === undefined) return unknownCommand(refused, request, line);
  const { code } = refused;
  const end = { start: line.length, end: line.length };
  if (!request.terminated && command.effect !== 'reads') return { code, message: refused.message, ...end };
  const usage = usageOf(command);
  const { min, max } = command.operands ?? wordsOf(usage);
  const count = request.words.length - 1;
  const extra = request.words[max + 1];
  if (extra !== undefined) return atWord(code, `${shown(extra)} is too much: ${usage}`, max + 1, line);
  if (count < min || (command.shape === 'entries' && count % 2 === 1)) {
    const missing = count < min ? (usage.split(' ')[count + 1] ?? 'a word') : 'value';
    return { code, message: `${missing} is missing: ${usage}`, ...end };
  }
  return atWord(code, refused.message, suspect(command, request), line);
}

function unknownCommand(refused: Refusal, request: Request, line: Buffer): LineFault {
  const name = request.words[0];
  const text = name === undefined ? '' : shown(name);
  const names = [...COMMANDS, ...OWN_WORDS].map((known) => known.name);
  const close = closest(text.toUpperCase(), names);
  const hint = close === undefined ? 'HELP lists them' : `did you mean ${close}?`;
  return atWord(refused.code, `there is no command ${text}: ${hint}`, 0, line);
}

function atWord(code: string, message: string, at: number, line: Buffer): LineFault {
  const place = typedWords(line)[at];
  return { code, message, start: place?.start ?? line.length, end: place?.end ?? line.length };
}

/** Which word a refusal is probably about when there are as many as there should be. */
function suspect(command: Command, request: Request): number {
  const { shape, consents = [] } = command;
  const front = shape === 'nothing' ? 1 : 2;
  const stranger = consents.findIndex((consent, at) => {
    const word = request.words[front + at];
    return word !== undefined && textOf(word).toUpperCase() !== consent;
  });
  if (stranger !== -1) return front + stranger;
  const empty = request.words.findIndex(({ start, end }) => start === end);
  return empty > 0 ? empty : Math.min(1, request.words.length - 1);
}

/** How many words may stand behind a command's name, as its usage says it. */
export function wordsOf(usage: string): { readonly min: number; readonly max: number } {
  const operands = usage.split(' ').slice(1);
  let depth = 0;
  let min = 0;
  for (const operand of operands) {
    depth += operand.split('[').length - 1;
    if (depth === 0 && operand !== '…') min++;
    depth -= operand.split(']').length - 1;
  }
  return { min, max: usage.includes('…') ? Infinity : operands.length };
}
