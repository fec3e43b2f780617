/** What the shell does itself. Commands of the server have none of these names. */
export interface OwnWord {
  readonly name: 'HELP' | 'CONNECT' | 'HISTORY' | 'CLEAR' | 'EXIT' | 'QUIT';
  /** As the usage shows what may stand behind it. */
  readonly operands: string;
  readonly operandsMin: number;
  readonly operandsMax: number;
  readonly summary: string;
  /** Makes sense only where somebody types. */
  readonly needsTerminal: boolean;
}

export const OWN_WORDS: readonly OwnWord[] = [
  {
    name: 'HELP',
    operands: '[command]',
    operandsMin: 0,
    operandsMax: 1,
    summary: 'Lists the commands, or explains one.',
    needsTerminal: false,
  },
  {
    name: 'CONNECT',
    operands: 'host:port',
    operandsMin: 1,
    operandsMax: 1,
    summary: 'Goes on with another server.',
    needsTerminal: false,
  },
  {
    name: 'HISTORY',
    operands: '',
    operandsMin: 0,
    operandsMax: 0,
    summary: 'Lists what was typed, and where it is kept.',
    needsTerminal: true,
  },
  {
    name: 'CLEAR',
    operands: '',
    operandsMin: 0,
    operandsMax: 0,
    summary: 'Clears the screen.',
    needsTerminal: true,
  },
  {
    name: 'EXIT',
    operands: '',
    operandsMin: 0,
    operandsMax: 0,
    summary: 'Leaves the shell; so do QUIT and Ctrl-D.',
    needsTerminal: false,
  },
  {
    name: 'QUIT',
    operands: '',
    operandsMin: 0,
    operandsMax: 0,
    summary: 'Leaves the shell.',
    needsTerminal: false,
  },
];

/** How it is written, such as `HELP [command]`. */
export function usageOfOwn({ name, operands }: OwnWord): string {
  return operands === '' ? name : `${name} ${operands}`;
}
