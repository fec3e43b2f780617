import { CR, LF } from './byte.js';

const ZERO = 0x30;

/** Writes a whole number from 0 on in decimal digits, and answers where they end. */
export function writeNumber(target: Buffer, at: number, value: number): number {
  let digits = 1;
  for (let above = 10; above <= value; above *= 10) digits++;
  let rest = value;
  for (let place = at + digits - 1; place >= at; place--) {
    const tenth = Math.floor(rest / 10);
    target[place] = ZERO + rest - 10 * tenth;
    rest = tenth;
  }
  return at + digits;
}

/** Writes CR and LF, and answers where they end. */
export function writeLineEnd(target: Buffer, at: number): number {
  target[at] = CR;
  target[at + 1] = LF;
  return at + 2;
}
