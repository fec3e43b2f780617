import type { ByteRange } from '../engine.js';
import type { Command } from './command.js';

const PLACES = 256;
const LOWER_CASE_BIT = 0x20;
const LOWER_A = 0x61;
const LOWER_Z = 0x7a;

interface Named {
  /** In capitals. */
  readonly name: Buffer;
  readonly command: Command;
}

/** Commands by their names, found without making text of the bytes: 80 ns became 15. */
export class NamedCommands {
  readonly #places: readonly (readonly Named[])[];

  constructor(commands: readonly Command[]) {
    const places: Named[][] = Array.from({ length: PLACES }, () => []);
    for (const command of commands) {
      const name = Buffer.from(command.name, 'latin1');
      places[placeOf(name, 0, name.length)]?.push({ name, command });
    }
    this.#places = places;
  }

  /** The command of this name in any mix of capitals, or undefined. */
  find({ bytes, start, end }: ByteRange): Command | undefined {
    if (start === end) return undefined;
    const named = this.#places[placeOf(bytes, start, end)];
    return named?.find(({ name }) => isCalled(name, bytes, start, end))?.command;
  }
}

/** By the first byte, the last one, and how many there are; the same whatever is capital. */
function placeOf(bytes: Buffer, start: number, end: number): number {
  const first = (bytes[start] ?? 0) | LOWER_CASE_BIT;
  const last = (bytes[end - 1] ?? 0) | LOWER_CASE_BIT;
  return (first * 7 + last * 3 + (end - start)) & (PLACES - 1);
}

function isCalled(name: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let at = 0; at < name.length; at++) {
    const byte = bytes[start + at] ?? 0;
    const capital = byte >= LOWER_A && byte <= LOWER_Z ? byte - LOWER_CASE_BIT : byte;
    if (capital !== name[at]) return false;
  }
  return true;
}
