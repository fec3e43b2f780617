import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { systemClock } from '../../clock.js';
import { checkData } from '../../storage/check.js';
import { NoData } from '../../storage/check-place.js';
import { isWhole } from '../../storage/check-report.js';
import type { CheckReport } from '../../storage/check-report.js';
import { StorageFault } from '../../storage/fault.js';
import { errorCode, systemFiles } from '../../storage/files.js';
import type { ReadingProgress } from '../../storage/reading-files.js';
import { ArenaTable } from '../../store/arena-table.js';
import { HASH_SECRET_BYTES } from '../../store/keyed-hash.js';
import { checkJson } from '../check/check-json.js';
import { formatCheck } from '../check/check-view.js';
import { TableKeyCount } from '../check/table-key-count.js';
import { committedWith } from '../committed-at-start.js';
import { CommandError, EXIT, UsageError } from '../exit.js';
import type { Invocation } from '../invocation.js';
import { DEFAULT_DB_PATH, readFormat } from '../options.js';
import { plainText, standardOutput, writeLines } from '../output.js';
import { progressLine } from '../progress.js';
import type { ProgressLine } from '../progress.js';
import { painter } from '../status-view.js';

const PROGRESS_STEP_MS = 100;
/** Of a pipe or a file, where lines are not broken. */
const NO_COLUMNS = Infinity;

export async function run(invocation: Invocation): Promise<number> {
  const format = readFormat(invocation);
  const file = invocation.operands[0]?.text ?? DEFAULT_DB_PATH;
  if (file === '') throw new UsageError('FILE is empty: name the file that --db-path names');
  const report = await check(file);
  const output = standardOutput(process.env);
  const columns = output.isTerminal ? process.stdout.columns : NO_COLUMNS;
  const lines =
    format === 'json'
      ? [JSON.stringify(checkJson(report), undefined, 2)]
      : formatCheck(report, await painter(output.colour), columns);
  await writeLines(output, lines);
  return isWhole(report) ? EXIT.done : EXIT.refused;
}

async function check(file: string): Promise<CheckReport> {
  const line = progressLine(process.stderr);
  const secret = randomBytes(HASH_SECRET_BYTES);
  const options = {
    files: systemFiles,
    isCommitted: committedWith,
    keys: new TableKeyCount(() => new ArenaTable({ secret })),
    progress: showing(line),
  };
  try {
    return await checkData(options, file);
  } catch (error) {
    if (error instanceof NoData) throw new UsageError(error.message);
    if (error instanceof StorageFault) throw new CommandError(EXIT.refused, error.message);
    const code = errorCode(error);
    if (code === undefined) throw error;
    throw new CommandError(
      EXIT.refused,
      `${file} cannot be read (${code}): see who may read it, and the disk`,
    );
  } finally {
    line.end();
  }
}

function showing(line: ProgressLine): ReadingProgress {
  let shownMs = systemClock.nowMs();
  return (file, bytesRead, size) => {
    const nowMs = systemClock.nowMs();
    if (nowMs - shownMs < PROGRESS_STEP_MS) return;
    shownMs = nowMs;
    line.show(
      `reading ${plainText(path.basename(file))}  ${String(Math.floor((100 * bytesRead) / Math.max(1, size)))} %`,
    );
  };
}
