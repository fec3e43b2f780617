import { homedir } from 'node:os';
import path from 'node:path';
import { UsageError } from '../exit.js';
import type { GivenOptions } from '../options.js';

export const HISTORY_VALUES = ['yes', 'no'] as const;

/** What the command line and the environment say about history. */
export interface HistorySettings {
  /** Undefined: none is kept. */
  readonly file: string | undefined;
  readonly withValues: boolean;
}

export function readHistorySettings(given: GivenOptions, environment: NodeJS.ProcessEnv): HistorySettings {
  const named = given.values.get('history');
  const isOff = given.flags.has('no-history');
  if (isOff && named !== undefined) {
    throw new UsageError(
      'history is kept in --history FILE or, with --no-history, not at all: give one of them',
    );
  }
  const option = given.values.get('history-values');
  const source = option === undefined ? 'KV_HISTORY_VALUES' : '--history-values';
  const values = option ?? environment.KV_HISTORY_VALUES ?? '';
  if (!['', ...HISTORY_VALUES].includes(values)) {
    throw new UsageError(`${source} ${JSON.stringify(values)} is none of ${HISTORY_VALUES.join(', ')}`);
  }
  const file = isOff ? undefined : path.resolve(named ?? defaultHistoryPath(environment));
  return { file, withValues: values !== 'no' };
}

/** Where history is kept, unless the command line says otherwise: where other programs of this user keep theirs. */
export function defaultHistoryPath(environment: NodeJS.ProcessEnv): string {
  const configured = environment.XDG_STATE_HOME ?? '';
  const home = environment.HOME ?? homedir();
  const state = path.isAbsolute(configured) ? configured : path.join(home, '.local', 'state');
  return path.join(state, 'understudy', 'history');
}
