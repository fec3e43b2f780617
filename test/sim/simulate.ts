import { seededRandom } from '../random.js';
import { checkRegister } from '../histories/linearizability.js';
import { Checks } from './checks.js';
import { Client, ClientHistory } from './clients.js';
import { Cluster } from './cluster.js';
import type { Machine } from './cluster.js';
import { converge, describeCluster, pause, readEverything } from './convergence.js';
import type { Parties } from './convergence.js';
import { Faults } from './faults.js';
import { Operator } from './operators.js';
import type { Answer } from './operators.js';
import { drawPlan } from './plan.js';
import type { Plan } from './plan.js';
import type { Planted } from './planted.js';
import type { StartNode } from './sim-node.js';

/** No schedule takes longer than this, healing included. */
const SIMULATED_MS_MAX = 600_000;
const SETUP_MS_MAX = 60_000;
/** So that what is drawn of elections has nothing to do with what else is drawn. */
const ELECTIONS = 0x2545_f491;

export interface SimulateOptions {
  readonly startNode: StartNode;
  readonly planted?: Planted | undefined;
  /** What the seed does not decide. */
  readonly plan?: Partial<Plan>;
  /** The nodes need nobody to be put together, and cannot be. */
  readonly isFixed?: boolean;
}

export interface Result {
  readonly seed: number;
  readonly plan: Plan;
  /** What went wrong; undefined when nothing did. */
  readonly violation: string | undefined;
  readonly simulatedMs: number;
  readonly events: number;
  /** A checksum of all that happened: the same for the same seed. */
  readonly trace: number;
  /** The last events, oldest first. */
  readonly recent: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
}

/** Runs one schedule from beginning to end. */
export async function simulate(seed: number, options: SimulateOptions): Promise<Result> {
  const random = seededRandom(seed);
  const draws = { random, laterRandom: seededRandom(~seed), electionRandom: seededRandom(~seed ^ ELECTIONS) };
  const plan = drawPlan(draws, options.plan ?? {});
  const { startNode, planted } = options;
  const checks = new Checks(planted?.table === undefined);
  const cluster = new Cluster({ ...plan, startNode, planted }, random, checks);
  const history = new ClientHistory();
  const operatorOptions = {
    isLossy: plan.isLossy,
    onlyPromotes: plan.onlyPromotes,
    changesFailover: plan.failover === 'auto',
    pauseMsMax: plan.operatorPauseMsMax,
  };
  const operator = new Operator(cluster, checks, random, operatorOptions);
  const isFixed = options.isFixed === true;
  const parties: Parties = { cluster, checks, operator, history, isFixed };
  const victim = plan.quiet && cluster.machines.at(-1);
  const faults = new Faults(cluster, random, plan.faults, victim);
  const clients = Array.from({ length: plan.clients }, (_, at) => {
    return new Client(`c${String(at + 1)}`, cluster, checks, history, random, plan.clientOptions);
  });

  const script = async (): Promise<void> => {
    await setUp(parties, plan);
    const [first] = cluster.machines;
    if (victim !== undefined && first !== undefined) checks.staysInOffice(first.name);
    for (const client of clients) client.start();
    faults.start();
    if (!isFixed && victim === undefined) operator.start();
    await pause(cluster, plan.durationMs / 2, 'half of it');
    if (plan.quiet?.removes === true && victim !== undefined) await takeOut(parties, victim);
    await pause(cluster, plan.durationMs / 2, 'enough');
    for (const party of [faults, operator, ...clients]) party.isStopped = true;
    await operator.idle();
    await converge(parties);
    await readEverything(parties, plan.clientOptions.keys);
    for (const client of clients) client.giveUp();
    checkHistory(history, checks);
  };
  await catchingStrays(checks, () => drive(cluster, checks, script()));

  const { scheduler } = cluster;
  const violation = checks.violation && `${checks.violation.message}\n${describeCluster(cluster)}`;
  const { acknowledged, refused, unknown, reads, staleReads, undecided } = history;
  return {
    seed,
    plan,
    violation,
    simulatedMs: scheduler.nowMs,
    events: scheduler.count,
    trace: scheduler.trace,
    recent: scheduler.recent,
    counts: {
      'states compared': checks.statesReported,
      ...{ acknowledged, refused, unknown, reads, staleReads, undecided },
      ...Object.fromEntries([...faults.happened].map(([kind, count]) => [`fault: ${kind}`, count])),
      ...Object.fromEntries([...operator.done].map(([kind, count]) => [`done: ${kind}`, count])),
      ...Object.fromEntries([...operator.refused].map(([kind, count]) => [`refused: ${kind}`, count])),
    },
  };
}

/** Gives a command again while the answer is that it is not the moment. */
async function insist(cluster: Cluster, give: () => Promise<Answer>): Promise<void> {
  for (
    let answer = await give();
    answer !== 'broken' && 'code' in answer && answer.code === 'BUSY';
    answer = await give()
  ) {
    await pause(cluster, 100, 'sets up: busy');
  }
}

/** Starts the nodes and makes most of them members. */
async function setUp(parties: Parties, plan: Plan): Promise<void> {
  const { cluster, checks, operator, isFixed } = parties;
  for (const machine of cluster.machines) cluster.start(machine);
  const deadlineMs = cluster.scheduler.nowMs + SETUP_MS_MAX;
  const until = async (what: string, isTrue: () => boolean): Promise<void> => {
    while (!isTrue() && checks.violation === undefined) {
      if (cluster.scheduler.nowMs > deadlineMs) checks.report(`not set up in time: ${what}`);
      await pause(cluster, 100, `sets up: ${what}`);
    }
  };
  await until('all run', () => cluster.machines.every(({ node }) => node !== undefined));
  await until('a primary', () => cluster.primary !== undefined);
  if (isFixed) return;
  const [first, ...others] = cluster.machines;
  const { acks, failover } = plan;
  if (failover === 'auto')
    await insist(cluster, () => operator.command(first!, { kind: 'setFailover', failover }));
  for (const { address } of others) {
    await insist(cluster, () => operator.command(first!, { kind: 'addBackup', address }));
    await until(`${address} is a member`, () => {
      const members = first?.node?.engine.status().members ?? [];
      return members.some((member) => member.address === address && member.state === 'member');
    });
  }
  await insist(cluster, () => operator.command(first!, { kind: 'setAcks', acks }));
}

/** The operator removes a member, as far as that can be done while it may be anything but well. */
async function takeOut({ cluster, operator }: Parties, machine: Machine): Promise<void> {
  const [first] = cluster.machines;
  if (first === undefined) return;
  const { address } = machine;
  await operator.command(first, { kind: 'removeBackup', address, backupIsDown: false });
}

/** Runs events until the script is through, or something is wrong. */
async function drive(cluster: Cluster, checks: Checks, script: Promise<void>): Promise<void> {
  const end = { isReached: false };
  script.then(
    () => (end.isReached = true),
    (error: unknown) => {
      checks.report(
        `the script failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    },
  );
  try {
    await cluster.scheduler.run(SIMULATED_MS_MAX, () => end.isReached || checks.violation !== undefined);
  } catch (error) {
    checks.report(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  if (!end.isReached) checks.report('the schedule did not come to its end');
}

/** A rejection that nobody handles ends a real process: here it is a violation of the run in which it came up. */
async function catchingStrays(checks: Checks, work: () => Promise<void>): Promise<void> {
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', (reason) => {
    const text = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
    checks.report(`nobody handled a rejection: ${text}`);
  });
  try {
    await work();
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const other of others) process.on('unhandledRejection', other);
  }
}

function checkHistory(history: ClientHistory, checks: Checks): void {
  if (checks.hasLoss) return;
  for (const [key, operations] of history.operations) {
    const verdict = checkRegister(operations, 50_000);
    if (verdict === 'undecided') history.undecided++;
    if (verdict !== 'not linearizable') continue;
    const lines = operations.map((operation) => JSON.stringify(operation));
    checks.report(`the history of ${key} is not linearizable:\n${lines.join('\n')}`);
  }
}
