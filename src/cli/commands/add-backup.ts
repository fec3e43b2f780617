import type { StatusReport } from '../../client/answers.js';
import { showAddress } from '../../client/address.js';
import { KvError } from '../../client/errors.js';
import { systemClock } from '../../clock.js';
import { WHEN_CHANGE_UNCONFIRMED, withTarget } from '../client-command.js';
import type { ClientSession } from '../client-command.js';
import { CommandError, EXIT } from '../exit.js';
import type { Invocation } from '../invocation.js';
import {
  CATCH_UP_TIMEOUT_SECONDS,
  CHANGE_TIMEOUT_SECONDS,
  readFormat,
  readTimeoutMs,
  requireNodeAddress,
} from '../options.js';
import { plainText, standardOutput, writeLines } from '../output.js';
import { pause } from '../pause.js';
import { progressLine } from '../progress.js';
import type { ProgressLine } from '../progress.js';
import { showBytes } from '../quantity.js';

const POLL_MS = 100;

type Member = StatusReport['members'][number];

/** The two nodes, as people write them. */
interface Pair {
  readonly primary: string;
  readonly backup: string;
}

export async function run(invocation: Invocation): Promise<number> {
  const waits = !invocation.flags.has('no-wait');
  const primary = requireNodeAddress(invocation, 'primary');
  const pair = {
    primary: showAddress(primary),
    backup: showAddress(requireNodeAddress(invocation, 'backup')),
  };
  const format = readFormat(invocation);
  const timeoutMs = readTimeoutMs(invocation, waits ? CATCH_UP_TIMEOUT_SECONDS : CHANGE_TIMEOUT_SECONDS);
  const target = {
    address: primary,
    option: '--primary',
    timeoutMs,
    whenUnconfirmed: WHEN_CHANGE_UNCONFIRMED,
  } as const;
  return withTarget(target, async (session) => {
    const { client, remaining } = session;
    const before = await client.status(remaining());
    await client.addBackup(pair.backup, remaining());
    const progress = progressLine(process.stderr);
    const after = waits ? await untilMember(session, pair, before, progress) : undefined;
    const output = standardOutput(process.env);
    const state = waits ? 'member' : 'learner';
    if (format === 'json') await output.write(`${JSON.stringify({ ...pair, state })}\n`);
    else await writeLines(output, after === undefined ? added(pair) : joined(pair, after));
    return EXIT.done;
  });
}

/** Asks the primary again and again until it lists the backup as a member; answers what it said then. */
async function untilMember(
  session: ClientSession,
  pair: Pair,
  before: StatusReport,
  progress: ProgressLine,
): Promise<StatusReport> {
  let last: Member | undefined;
  try {
    while (session.endMs - systemClock.nowMs() > POLL_MS) {
      const report = await session.client.status(session.remaining());
      if (report.facts.get('role') !== 'primary') {
        throw refused(`${pair.primary} is the primary no more`, pair);
      }
      const member = findMember(report, pair.backup, before);
      if (member?.get('state') === 'member') return report;
      if (member === undefined && last !== undefined) {
        throw refused(`${pair.primary} does not list ${pair.backup} any more`, pair);
      }
      last = member;
      progress.show(`${pair.backup} is catching up${behind(member)}`);
      await pause(systemClock, POLL_MS);
    }
  } catch (error) {
    if (!(error instanceof KvError) || error.code !== 'TIMEOUT') throw error;
  } finally {
    progress.end();
  }
  const found = `${pair.backup} was added and is no member yet${behind(last)}`;
  const advice = `it becomes one by itself; "kv status --address ${pair.primary}" shows when`;
  throw new CommandError(EXIT.unreachable, `${found}: ${advice}`);
}

/** The line of the backup. A node may be listed under another name than it was added by: then it is the one that is new. */
function findMember(report: StatusReport, backup: string, before: StatusReport): Member | undefined {
  const known = new Set(before.members.map((member) => member.get('member')));
  const named = report.members.find((member) => member.get('member') === backup);
  return named ?? report.members.find((member) => !known.has(member.get('member')));
}

function behind(member: Member | undefined): string {
  const [lag, bytes] = [member?.get('lag'), member?.get('lag_bytes')];
  if (lag === undefined || lag === 'none') return '';
  const size = bytes !== undefined && /^\d+$/.test(bytes) ? ` (${showBytes(Number(bytes))})` : '';
  return `, ${plainText(lag)} entries${size} behind`;
}

function refused(what: string, pair: Pair): CommandError {
  return new CommandError(
    EXIT.refused,
    `${what}: see "kv status --address ${pair.backup}", and add it again`,
  );
}

function added({ primary, backup }: Pair): string[] {
  return [
    `${backup} was added and is catching up. It counts for nothing before it is a member.`,
    `Next: "kv status --address ${primary}" shows when it is.`,
  ];
}

function joined({ primary, backup }: Pair, report: StatusReport): string[] {
  const members = report.members.filter((member) => member.get('state') !== 'learner');
  const isPair = members.length === 2 && report.facts.get('acks') !== '0';
  return [
    `${backup} is a member: it has everything that ${primary} has, and writes count on it.`,
    ...(isPair
      ? [
          'With two members every write needs both: while one is down, nothing can be written. Three do not have this.',
        ]
      : []),
    `Next: "kv status --address ${primary}" shows how they do.`,
  ];
}
