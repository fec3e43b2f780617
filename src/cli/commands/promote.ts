import type { PromotionReport } from '../../client/answers.js';
import { showAddress } from '../../client/address.js';
import { WHEN_CHANGE_UNCONFIRMED, withTarget } from '../client-command.js';
import { EXIT, UsageError } from '../exit.js';
import type { Invocation } from '../invocation.js';
import { CHANGE_TIMEOUT_SECONDS, readFormat, readServerAddress, readTimeoutMs } from '../options.js';
import { plainText, standardOutput, writeLines } from '../output.js';

export async function run(invocation: Invocation): Promise<number> {
  const othersAreDown = invocation.flags.has('others-are-down');
  const acceptDataLoss = invocation.flags.has('accept-data-loss');
  if (acceptDataLoss && !othersAreDown) {
    throw new UsageError('--accept-data-loss goes further than --others-are-down: give both');
  }
  const format = readFormat(invocation);
  const address = readServerAddress(invocation, process.env);
  const target = {
    address,
    option: '--address',
    timeoutMs: readTimeoutMs(invocation, CHANGE_TIMEOUT_SECONDS),
    whenUnconfirmed: WHEN_CHANGE_UNCONFIRMED,
  } as const;
  return withTarget(target, async ({ client, remaining }) => {
    const report = await client.promote({ ...remaining(), othersAreDown, acceptDataLoss });
    const output = standardOutput(process.env);
    if (format === 'json') await output.write(`${formatPromotionJson(showAddress(address), report)}\n`);
    else await writeLines(output, formatPromotion(showAddress(address), report).map(plainText));
    return EXIT.done;
  });
}

/** What was found, what was decided, and the next step, for a person. */
export function formatPromotion(address: string, report: PromotionReport): string[] {
  const width = Math.max(0, ...report.found.map((one) => one.address.length));
  const answers = report.found.map((one) => {
    const answer = one.position === undefined ? 'no answer' : `has everything up to ${one.position}`;
    return `  ${one.address.padEnd(width)}  ${answer}`;
  });
  return [
    ...(answers.length === 0 ? [] : ['Found:', ...answers, '']),
    `${address} is the primary ${wasPrimary(report) ? 'already' : 'now'}, in term ${String(report.term)}, at ${report.position}.`,
    ...decided(report),
    '',
    ...nextSteps(address, report),
  ];
}

/** It asked nobody, as nothing was to be decided. */
function wasPrimary({ found, leftOut, handedOverBy, knownUpTo }: PromotionReport): boolean {
  return found.length + leftOut.length === 0 && handedOverBy === undefined && knownUpTo === undefined;
}

function decided({ leftOut, handedOverBy, knownUpTo }: PromotionReport): string[] {
  return [
    ...(handedOverBy === undefined
      ? []
      : [`${handedOverBy} handed over and is its backup now: nothing was lost.`]),
    ...(leftOut.length === 0 ? [] : [`Left out, and counted no more: ${leftOut.join(', ')}.`]),
    ...(knownUpTo === undefined
      ? []
      : [`Data may be lost: it is known up to ${knownUpTo}. What was acknowledged behind that is gone.`]),
  ];
}

function nextSteps(address: string, { leftOut }: PromotionReport): string[] {
  const status = `  kv status --address ${address}`;
  if (leftOut.length === 0) return ['Next: see how the members do with', status];
  return [
    'Next: start what was left out again. It finds the new primary and waits to be added with',
    ...leftOut.map((member) => `  kv add-backup --primary ${address} --backup ${member}`),
  ];
}

/** One object, its members named as the protocol names them; null where there is nothing to say. */
export function formatPromotionJson(address: string, report: PromotionReport): string {
  const found = report.found.map((one) => ({ address: one.address, position: one.position ?? null }));
  return JSON.stringify(
    {
      address,
      role: 'primary',
      term: report.term,
      position: report.position,
      found,
      left_out: report.leftOut,
      handed_over_by: report.handedOverBy ?? null,
      known_up_to: report.knownUpTo ?? null,
    },
    undefined,
    2,
  );
}
