import { setTimeout as pause } from 'node:timers/promises';
import { checkRegister } from '../histories/linearizability.js';
import type { Operation } from '../histories/linearizability.js';
import type { Random } from '../random.js';
import { Asking } from './asking.js';

/** So few that the check stays quick, whatever happened meanwhile. */
const OPERATIONS_A_KEY = 120;
/** Keys that are worked on at a time. */
const KEYS_AT_ONCE = 3;
/** Shorter than a write may stay unconfirmed, so that there are clients elsewhere while an old primary is cut off. */
const ANSWER_MS_MAX = 1000;
const THINK_MS = 4;
const ELSEWHERE_MS = 15;

/** What a backup answered, to one connection, in this order. */
interface FollowerRead {
  readonly connection: number;
  readonly value: string | null;
  readonly answeredAt: number;
}

/** What clients did to a few keys at a time, and were told, in the order of one counter of this process. */
export class Recording {
  reads = 0;
  followerReads = 0;
  unknown = 0;
  acknowledged = 0;
  readonly #operations = new Map<string, Operation[]>();
  readonly #followerReads = new Map<string, FollowerRead[]>();
  #stamp = 0;
  #begun = 0;
  #connections = 0;

  stamp(): number {
    return ++this.#stamp;
  }

  connection(): number {
    return ++this.#connections;
  }

  /** One of the few keys whose turn it is. */
  key(random: Random): string {
    const turn = Math.floor(this.#begun++ / (OPERATIONS_A_KEY * KEYS_AT_ONCE));
    return `recorded-${String(turn)}-${String(random.below(KEYS_AT_ONCE))}`;
  }

  add(key: string, operation: Operation): void {
    const operations = this.#operations.get(key);
    if (operations === undefined) this.#operations.set(key, [operation]);
    else operations.push(operation);
    if (operation.answeredAt === undefined) this.unknown++;
    else if (operation.kind === 'get') this.reads++;
    else this.acknowledged++;
  }

  addFollowerRead(key: string, read: FollowerRead): void {
    this.followerReads++;
    const reads = this.#followerReads.get(key);
    if (reads === undefined) this.#followerReads.set(key, [read]);
    else reads.push(read);
  }

  /** Reads each key once more, from a node that has everything, so that what was lost at the end is missed as well. */
  async readAll(ask: (command: string) => Promise<string>): Promise<void> {
    for (const key of this.#operations.keys()) {
      const calledAt = this.stamp();
      const answer = await ask(`GET ${key}`);
      const value = answer === 'NULL' ? null : answer;
      this.add(key, { kind: 'get', value, calledAt, answeredAt: this.stamp() });
    }
  }

  /** Throws at the first key of which the answers could not have come from one copy. */
  check(): void {
    for (const [key, operations] of this.#operations) {
      const verdict = checkRegister(operations);
      if (verdict !== 'linearizable') throw new Error(`${key} is ${verdict}:\n${shown(operations)}`);
      const fault = faultOfFollowers(operations, this.#followerReads.get(key) ?? []);
      if (fault !== undefined) throw new Error(`${key}: ${fault}:\n${shown(operations)}`);
    }
  }
}

function shown(operations: readonly Operation[]): string {
  return operations.map((operation) => JSON.stringify(operation)).join('\n');
}

/**
 * What is wrong with reads of backups: a value that nobody had put by then, or one connection that went back in time, which is
 * to see a value that was overwritten before the one seen earlier was put, or one again that was gone already.
 */
export function faultOfFollowers(
  operations: readonly Operation[],
  reads: readonly FollowerRead[],
): string | undefined {
  const puts = new Map(
    operations.flatMap((each) => (each.kind === 'put' ? [[each.value, each] as const] : [])),
  );
  const isDeleted = operations.some(({ kind }) => kind === 'delete');
  const seen = new Map<number, (string | null)[]>();
  for (const { connection, value, answeredAt } of reads) {
    const put = puts.get(value);
    if (value !== null && (put === undefined || put.calledAt > answeredAt))
      return `${value} was read and never put`;
    const before = seen.get(connection) ?? [];
    seen.set(connection, before);
    const last = before.at(-1);
    if (last === value) continue;
    const went = `a connection saw ${String(last)} and then ${String(value)}`;
    if (value === null && last !== undefined && !isDeleted) return went;
    if (value !== null && before.includes(value)) return `${went} again`;
    const lastPut = last === undefined ? undefined : puts.get(last);
    if (put?.answeredAt !== undefined && lastPut !== undefined && put.answeredAt < lastPut.calledAt)
      return went;
    before.push(value);
  }
  return undefined;
}

/**
 * A client that asks one thing after the other of the node that it takes for the primary, and looks elsewhere when refused. One
 * with a single address is a reader that stays there, whatever becomes of that node.
 */
export class RecordedClient {
  readonly #name: string;
  readonly #addresses: readonly string[];
  readonly #recording: Recording;
  readonly #random: Random;
  readonly #answerMsMax: number;
  #at = 0;
  #count = 0;
  #asking: Asking | undefined;
  #connection = 0;
  #isStopped = false;
  readonly #work: Promise<void>;

  /** @param answerMsMax - after which it gives a question up. */
  constructor(
    name: string,
    addresses: readonly string[],
    recording: Recording,
    random: Random,
    answerMsMax = ANSWER_MS_MAX,
  ) {
    this.#answerMsMax = answerMsMax;
    this.#name = name;
    this.#addresses = addresses;
    this.#recording = recording;
    this.#random = random;
    this.#at = random.below(addresses.length);
    this.#work = this.#run();
    this.#work.catch(() => undefined);
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.#work;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const isDone = await this.#act();
      if (!isDone) this.#at = (this.#at + 1) % this.#addresses.length;
      if (!isDone) this.#leave();
      await pause(isDone ? this.#random.next() * THINK_MS : ELSEWHERE_MS);
    }
    this.#leave();
  }

  #leave(): void {
    this.#asking?.close();
    this.#asking = undefined;
  }

  /** False when it was no use here. */
  async #act(): Promise<boolean> {
    if (this.#asking === undefined || this.#asking.isBroken) {
      this.#asking = await Asking.open(this.#addresses[this.#at]!, this.#answerMsMax);
      this.#connection = this.#recording.connection();
      if (this.#asking === undefined) return false;
    }
    const key = this.#recording.key(this.#random);
    const chance = this.#addresses.length === 1 ? 1 : this.#random.next();
    if (chance < 0.45) return this.#put(this.#asking, key);
    return chance < 0.53 ? this.#delete(this.#asking, key) : this.#get(this.#asking, key);
  }

  async #put(asking: Asking, key: string): Promise<boolean> {
    const value = `${this.#name}.${String(++this.#count)}`;
    const calledAt = this.#recording.stamp();
    const answer = (await asking.ask([`PUT ${key} ${value}`], this.#answerMsMax))?.[0];
    if (isRefused(answer)) return false;
    const answeredAt = answer === 'OK' ? this.#recording.stamp() : undefined;
    this.#recording.add(key, { kind: 'put', value, calledAt, answeredAt });
    return answeredAt !== undefined;
  }

  async #delete(asking: Asking, key: string): Promise<boolean> {
    const calledAt = this.#recording.stamp();
    const answer = (await asking.ask([`DELETE ${key}`], this.#answerMsMax))?.[0];
    if (isRefused(answer)) return false;
    const isAnswered = answer === 'OK' || answer === 'NULL';
    const answeredAt = isAnswered ? this.#recording.stamp() : undefined;
    const found = isAnswered ? answer === 'OK' : undefined;
    this.#recording.add(key, { kind: 'delete', value: null, found, calledAt, answeredAt });
    return isAnswered;
  }

  /** What it says of itself before and after tells whether it was the primary when it read. */
  async #get(asking: Asking, key: string): Promise<boolean> {
    const calledAt = this.#recording.stamp();
    const answers = await asking.ask(['HEARTBEAT', `GET ${key}`, 'HEARTBEAT'], this.#answerMsMax);
    const [before = '', answer = '', after = ''] = answers ?? [];
    if (answers === undefined || answer.startsWith('ERROR ')) return false;
    const answeredAt = this.#recording.stamp();
    const value = answer === 'NULL' ? null : answer;
    const office = /^OK role=primary term=\d+/.exec(before)?.[0];
    const isPrimary = office !== undefined && after.startsWith(`${office} `);
    if (isPrimary) {
      this.#recording.add(key, { kind: 'get', value, calledAt, answeredAt });
      return true;
    }
    const isFollower = before.startsWith('OK role=backup ') && after.startsWith('OK role=backup ');
    if (isFollower) this.#recording.addFollowerRead(key, { connection: this.#connection, value, answeredAt });
    // It reads on here for a while.
    return isFollower && this.#random.next() < 0.9;
  }
}

/** Known not to be done, now or later. */
function isRefused(answer: string | undefined): boolean {
  return answer?.startsWith('ERROR ') === true && !answer.startsWith('ERROR UNCONFIRMED ');
}
