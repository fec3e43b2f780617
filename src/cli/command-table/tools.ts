import type { CommandSpec } from '../command-spec.js';
import { ADDRESS_OPTION, TIMEOUT_OPTION } from '../options.js';
import { HISTORY_VALUES } from '../shell/history-options.js';

const SHELL: CommandSpec = {
  name: 'shell',
  group: 'Tools',
  operands: '',
  operandsMin: 0,
  operandsMax: 0,
  summary: 'type commands of the protocol, or read them from stdin',
  options: [
    {
      name: 'history',
      operand: 'FILE',
      description: 'where lines are kept',
      shownDefault: '~/.local/state/understudy/history',
    },
    {
      name: 'history-values',
      operand: HISTORY_VALUES.join('|'),
      description: 'whether with the values of writes; KV_HISTORY_VALUES in the environment says the same',
      shownDefault: HISTORY_VALUES[0],
    },
    { name: 'no-history', description: 'keep none' },
    ADDRESS_OPTION,
    TIMEOUT_OPTION,
  ],
  notes: [
    'On a terminal: Tab completes commands and keys, Ctrl-C gives up what is being done, Ctrl-D leaves. A line that',
    'begins with a blank is not kept. From a pipe or a file: one reply after another, as the line protocol has them,',
    'and errors on stderr with the number of the line. A refused line does not stop the rest; the exit status is that',
    'of the first. Empty lines and those that begin with # are skipped.',
  ],
  examples: [
    { line: 'kv shell', meaning: '' },
    { line: "printf 'PUT a 1\\nGET a\\n' | kv shell", meaning: 'two commands, two replies' },
    { line: 'kv shell < session.txt', meaning: 'a file of commands' },
    { line: 'KV_HISTORY_VALUES=no kv shell', meaning: 'what is stored stays out of the history file' },
  ],
  load: () => import('../commands/shell.js'),
};

const COMPLETION: CommandSpec = {
  name: 'completion',
  group: 'Tools',
  operands: 'bash|zsh',
  operandsMin: 1,
  operandsMax: 2,
  summary: 'print what makes Tab complete kv, its options and its keys',
  options: [{ ...ADDRESS_OPTION, description: 'with keys: the server' }],
  notes: [
    'The script asks "kv completion keys PREFIX" for the keys that begin so: within a second, at most 200 of them,',
    'and none when no server answers.',
  ],
  examples: [
    { line: 'source <(kv completion bash)', meaning: 'in ~/.bashrc' },
    { line: 'source <(kv completion zsh)', meaning: 'in ~/.zshrc, behind compinit' },
  ],
  load: () => import('../commands/completion.js'),
};

export const TOOL_COMMANDS: readonly CommandSpec[] = [SHELL, COMPLETION];
