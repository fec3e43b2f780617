import { appendHistory, lineToKeep, readHistory } from './history-file.js';
import type { HistorySettings } from './history-options.js';
import { plainText } from '../output.js';
import type { HistoryKeeper } from './prompt.js';

/**
 * What was typed before, and a place for what is typed next. A file that cannot be read or written is told once, and the
 * shell goes on without it.
 */
export async function keepHistory(
  { file, withValues }: HistorySettings,
  warn: (message: string) => void,
): Promise<HistoryKeeper> {
  if (file === undefined) return { lines: [], place: 'It is kept nowhere.', keep: () => Promise.resolve() };
  let isUsable = true;
  const attempt = async <Result>(work: () => Promise<Result>, otherwise: Result): Promise<Result> => {
    if (!isUsable) return otherwise;
    try {
      return await work();
    } catch (error) {
      isUsable = false;
      const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
      warn(`history is not kept: ${plainText(file)} cannot be used (${reason}); name another with --history`);
      return otherwise;
    }
  };
  return {
    lines: await attempt(() => readHistory(file), []),
    place: `It is kept in ${plainText(file)}${withValues ? '' : ', without values'}.`,
    keep: async (line) => {
      const kept = lineToKeep(line, withValues);
      if (kept !== undefined) await attempt(() => appendHistory(file, kept), undefined);
    },
  };
}
