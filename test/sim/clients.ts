import type { Cancel } from '../../src/clock.js';
import { wholeRange } from '../../src/engine.js';
import type { Engine, Refusal, ValueSink } from '../../src/engine.js';
import type { Operation } from '../histories/linearizability.js';
import type { Random } from '../random.js';
import type { Checks } from './checks.js';
import { ClientSession } from './client-session.js';
import type { ClientWrite, Outcome } from './client-session.js';
import type { Cluster, Machine } from './cluster.js';
import type { Process } from './scheduler.js';
import type { RunningNode } from './sim-node.js';

/** What all clients did, and what came of it. */
export class ClientHistory {
  readonly operations = new Map<string, Operation[]>();
  acknowledged = 0;
  refused = 0;
  unknown = 0;
  reads = 0;
  staleReads = 0;
  /** Keys whose history was too long a search. */
  undecided = 0;

  add(key: string, operation: Operation): void {
    const operations = this.operations.get(key);
    if (operations === undefined) this.operations.set(key, [operation]);
    else operations.push(operation);
  }
}

export interface ClientOptions {
  readonly keys: readonly string[];
  /** The longest pause between two operations. */
  readonly thinkMsMax: number;
  readonly valueBytesMax: number;
  /** They give up after this long. */
  readonly timeoutMs: number;
  /** They write under sessions, and send again what they had no answer to. */
  readonly usesSessions: boolean;
}

/** Gathers one value: undefined before any answer. */
class OneValue implements ValueSink {
  value: string | null | undefined;
  readonly isFull = false;

  hit(bytes: Buffer, start: number, end: number): void {
    this.value = bytes.toString('latin1', start, end);
  }

  miss(): void {
    this.value = null;
  }
}

type Answer = (outcome: Outcome, refused?: Refusal) => void;

/** Asks one thing after the other, each time the node that it takes for the primary. */
export class Client {
  isStopped = false;
  readonly #name: string;
  readonly #cluster: Cluster;
  readonly #checks: Checks;
  readonly #history: ClientHistory;
  readonly #random: Random;
  readonly #options: ClientOptions;
  #target: Machine;
  #operations = 0;
  readonly #session: ClientSession | undefined;
  /** By process and key, the last position that was seen of it. */
  readonly #seen = new WeakMap<Process, Map<string, number>>();

  constructor(
    name: string,
    cluster: Cluster,
    checks: Checks,
    history: ClientHistory,
    random: Random,
    options: ClientOptions,
  ) {
    this.#name = name;
    this.#cluster = cluster;
    this.#checks = checks;
    this.#history = history;
    this.#random = random;
    this.#options = options;
    this.#target = cluster.machines[0]!;
    this.#session = options.usesSessions ? new ClientSession() : undefined;
  }

  start(): void {
    this.#next(this.#random.next() * this.#options.thinkMsMax);
  }

  #next(delayMs: number): void {
    this.#cluster.world.post(delayMs, `${this.#name} goes on`, () => {
      if (!this.isStopped) this.#act();
    });
  }

  #act(): void {
    const random = this.#random;
    const session = this.#session;
    if (session !== undefined && session.id === undefined) {
      this.#openSession(session);
      return;
    }
    const again = session?.toSendAgain(random.next());
    if (again !== undefined) {
      this.#send(again);
      return;
    }
    const key = random.pick(this.#options.keys);
    const chance = random.next();
    if (chance < 0.5) this.#put(key);
    else if (chance < 0.6) this.#delete(key);
    else this.#get(key, random.next() < 0.3 ? random.pick(this.#cluster.machines) : this.#target);
  }

  #put(key: string): void {
    const unique = `${this.#name}.${String(++this.#operations)}`;
    const value = unique.padEnd(unique.length + this.#random.below(this.#options.valueBytesMax), '-');
    const calledAt = this.#cluster.scheduler.stamp();
    this.#write(`put ${key} ${unique}`, value, [key, value], (outcome) => {
      if (outcome.kind === 'refused') return;
      const answeredAt = outcome.kind === 'done' ? this.#cluster.scheduler.stamp() : undefined;
      this.#history.add(key, { kind: 'put', value, calledAt, answeredAt });
    });
  }

  #delete(key: string): void {
    // A second key, which is never there, makes the entry of this delete one that can be found.
    const tag = `~${this.#name}.${String(++this.#operations)}`;
    const calledAt = this.#cluster.scheduler.stamp();
    this.#write(`delete ${key} ${tag}`, tag, [key, tag], (outcome) => {
      if (outcome.kind === 'refused') return;
      const isDone = outcome.kind === 'done';
      const found = isDone ? outcome.count === 1 : undefined;
      const answeredAt = isDone ? this.#cluster.scheduler.stamp() : undefined;
      this.#history.add(key, { kind: 'delete', value: null, found, calledAt, answeredAt });
    });
  }

  #write(
    label: string,
    unique: string,
    words: readonly [string, string],
    record: (outcome: Outcome) => void,
  ): void {
    const [first, second] = words.map((word) => wholeRange(Buffer.from(word, 'latin1')));
    const operation = label.startsWith('put')
      ? ({ kind: 'put', key: first!, value: second! } as const)
      : ({ kind: 'delete', keys: [first!, second!] } as const);
    const number = this.#session?.nextNumber();
    const write: ClientWrite = { label, unique, operation, number, doubts: 0, record };
    this.#session?.begin(write);
    this.#send(write);
  }

  #send(write: ClientWrite): void {
    const machine = this.#target;
    const tag = this.#session?.tagOf(write);
    write.doubts++;
    const begin = (engine: Engine, answer: Answer): void => {
      const written = (refused: Refusal | undefined, count: number): void => {
        if (refused === undefined) {
          this.#acknowledge(machine.name, write.unique);
          answer({ kind: 'done', count });
        } else {
          answer({ kind: refused.code === 'UNCONFIRMED' ? 'unknown' : 'refused' }, refused);
        }
      };
      engine.write(write.operation, { written }, tag);
    };
    this.#call(machine, write.label, begin, (outcome, refused) => {
      if (outcome.kind === 'done') this.#history.acknowledged++;
      else this.#history[outcome.kind]++;
      if (outcome.kind === 'refused') write.doubts--;
      if (this.#session === undefined) write.record(outcome);
      else if (refused?.code === 'SESSION_EXPIRED') this.#session.giveUp();
      else if (outcome.kind === 'done' || write.doubts === 0) this.#session.end(write, outcome);
    });
  }

  #openSession(session: ClientSession): void {
    const begin = (engine: Engine, answer: Answer): void => {
      const written = (refused: Refusal | undefined, count: number): void => {
        answer(refused === undefined ? { kind: 'done', count } : { kind: 'refused' }, refused);
      };
      engine.openSession({ written });
    };
    this.#call(this.#target, 'opens a session', begin, (outcome) => {
      if (outcome.kind === 'done') session.id = outcome.count;
    });
  }

  /** Nothing is sent any more. */
  giveUp(): void {
    this.#session?.giveUp();
  }

  #acknowledge(name: string, unique: string): void {
    try {
      this.#checks.acknowledged(name, unique);
    } catch {
      // The checks keep it. The engine that calls this must not be led astray by it.
    }
  }

  #get(key: string, machine: Machine): void {
    const calledAt = this.#cluster.scheduler.stamp();
    const sink = new OneValue();
    let isLinearizable = false;
    const { node, process } = machine;
    const begin = (engine: Engine, answer: Answer): void => {
      const range = wholeRange(Buffer.from(key));
      isLinearizable = isServing(node);
      const done = (refused?: Refusal): void => {
        isLinearizable &&= isServing(node);
        answer(refused === undefined ? { kind: 'done', count: 1 } : { kind: 'refused' }, refused);
      };
      const outcome = engine.read(range, sink);
      if (outcome === 'wait') engine.readAll([range], sink, done);
      else done(outcome === 'answered' ? undefined : outcome);
    };
    this.#call(machine, `get ${key}`, begin, (outcome) => {
      const { value } = sink;
      if (outcome.kind !== 'done' || value === undefined) return;
      if (process !== undefined) this.#checkForward(process, key, value);
      if (isLinearizable) {
        this.#history.reads++;
        const answeredAt = this.#cluster.scheduler.stamp();
        this.#history.add(key, { kind: 'get', value, calledAt, answeredAt });
      } else {
        this.#history.staleReads++;
      }
    });
  }

  /** On one connection nobody sees the past after the present. */
  #checkForward(process: Process, key: string, value: string | null): void {
    if (this.#checks.hasLoss) return;
    const seen = this.#seen.get(process) ?? new Map<string, number>();
    this.#seen.set(process, seen);
    const before = seen.get(key) ?? 0;
    const place = this.#checks.placeOf(key, value, before);
    if (place !== undefined && place >= before) seen.set(key, place);
    else this.#checks.report(`${this.#name} saw ${key} go back in time on ${process.name}: ${String(value)}`);
  }

  /** One request and its answer, or the end of the connection, or the end of patience. */
  #call(
    machine: Machine,
    label: string,
    begin: (engine: Engine, answer: Answer) => void,
    record: Answer,
  ): void {
    const { world, network, scheduler } = this.#cluster;
    const { node, process } = machine;
    if (node === undefined || process === undefined) {
      this.#goElsewhere();
      this.#next(50 + this.#random.next() * this.#options.thinkMsMax);
      return;
    }
    const watches: Cancel[] = [];
    let isOver = false;
    const finish = (outcome: Outcome, refused?: Refusal): void => {
      if (isOver) return;
      isOver = true;
      for (const watch of watches) watch.cancel();
      scheduler.note(`${this.#name} ${label}: ${outcome.kind} ${refused?.code ?? ''}`);
      record(outcome, refused);
      if (outcome.kind !== 'done') this.#follow(refused);
      this.#next(this.#random.next() * this.#options.thinkMsMax);
    };
    const lost = (why: string) => (): void => {
      watches.push(
        world.post(network.latencyMs(), `${this.#name} ${why}`, () => finish({ kind: 'unknown' })),
      );
    };
    watches.push(process.whenEnded(lost('lost its connection')));
    watches.push(world.post(this.#options.timeoutMs, `${this.#name} waited long enough`, lost('gives up')));
    process.post(network.latencyMs(), `${this.#name} ${label}`, () => {
      begin(node.engine, (outcome, refused) => {
        const text = `${machine.name} answers ${this.#name}`;
        world.post(network.latencyMs(), text, () => finish(outcome, refused));
      });
    });
  }

  #follow(refused: Refusal | undefined): void {
    const address = refused?.code === 'NOT_PRIMARY' ? refused.message.split(' ')[0] : undefined;
    const named = this.#cluster.machines.find((machine) => machine.address === address);
    if (named !== undefined && this.#random.next() < 0.9) this.#target = named;
    else if (refused?.code !== 'BUSY' && refused?.code !== 'DISK_FULL') this.#goElsewhere();
  }

  #goElsewhere(): void {
    this.#target = this.#random.pick(this.#cluster.machines);
  }
}

function isServing(node: RunningNode | undefined): boolean {
  const now = node?.inspect();
  const isPrimary = now?.role === 'primary' && now.service === 'serving';
  return isPrimary && node?.engine.guarantees.linearizableReads === true;
}
