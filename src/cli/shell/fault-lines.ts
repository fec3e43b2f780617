import stringWidth from 'string-width';
import { plainText } from '../output.js';
import type { LineFault } from './typed-line.js';

const ELLIPSIS = '…';
const INDENT = '  ';
/** What is shown in front of a fault in a line that is too long to be shown whole. */
const CONTEXT_COLUMNS = 20;

/** A longer text does not fit, whatever its characters are; to measure all of a pasted one would take long. */
const CHARACTERS_A_COLUMN_MAX = 8;

/**
 * The line again with a mark under the word that is wrong, or behind it where one is missing.
 *
 * @param columns - of the terminal. Of a longer line only what surrounds the fault is shown.
 */
export function faultLines(line: string, fault: LineFault, columns: number): string[] {
  const bytes = Buffer.from(line, 'utf8');
  const before = plainText(bytes.toString('utf8', 0, fault.start));
  const word = plainText(bytes.toString('utf8', fault.start, fault.end));
  const after = plainText(bytes.toString('utf8', fault.end));
  const room = Math.max(CONTEXT_COLUMNS * 2, columns - 1) - INDENT.length;
  const isShort = line.length <= room && stringWidth(before + word + after) <= room;
  const front = isShort ? before : lastColumns(before, CONTEXT_COLUMNS);
  const left = room - stringWidth(front);
  const rest = firstColumns(word + after, left);
  const marks = Math.max(1, Math.min(stringWidth(firstColumns(word, left)), left));
  return [`${INDENT}${front}${rest}`, `${INDENT}${' '.repeat(stringWidth(front))}${'^'.repeat(marks)}`];
}

function firstColumns(text: string, columns: number): string {
  if (text.length <= CHARACTERS_A_COLUMN_MAX * columns && stringWidth(text) <= columns) return text;
  let shown = '';
  let width = 0;
  for (const character of text) {
    width += stringWidth(character);
    if (width > columns - 1) break;
    shown += character;
  }
  return shown + ELLIPSIS;
}

function lastColumns(text: string, columns: number): string {
  if (text.length <= CHARACTERS_A_COLUMN_MAX * columns && stringWidth(text) <= columns) return text;
  let shown = '';
  let width = 0;
  for (const character of Array.from(text.slice(-CHARACTERS_A_COLUMN_MAX * columns)).reverse()) {
    width += stringWidth(character);
    if (width > columns - 1) break;
    shown = character + shown;
  }
  return ELLIPSIS + shown;
}
