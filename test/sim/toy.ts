import { refusal } from '../../src/engine.js';
import type {
  ByteRange,
  ClusterId,
  Engine,
  Index,
  NodeId,
  Operation,
  ReadOutcome,
  Refusal,
  Status,
  Term,
  ValueSink,
  WriteObserver,
} from '../../src/engine.js';
import { controlFrame } from '../../src/log/control.js';
import { FrameBuilder } from '../../src/log/entry.js';
import { EMPTY_LOG, endOf, readFrame } from '../../src/log/frame.js';
import type { Frame, LogEnd } from '../../src/log/frame.js';
import { addToSpans, commonPrefix } from '../../src/log/history.js';
import type { History, TermSpan } from '../../src/log/history.js';
import { termAfter } from '../../src/log/term.js';
import type { Link, PeerIdentity } from '../../src/node/ports.js';
import type { Append, AppendAnswer, Message, Fetch } from '../../src/replication/message.js';
import { readWhole } from '../../src/storage/files.js';
import type { OpenFile } from '../../src/storage/files.js';
import { copyFrame } from './copy-message.js';
import { entriesOf } from './log-mirror.js';
import type { NodePorts, RunningNode, StartNode } from './sim-node.js';

/**
 * The smallest cluster that can be right or wrong: the first node is the primary for all time, and a write is safe once a
 * majority has it. It stands in for a real node where the simulator itself is tested.
 */
export type ToyFault =
  /** The primary answers before anybody has the write on disk. */
  | 'answers at once'
  /** The primary shows what was true a moment ago. */
  | 'shows old values'
  /** A restarted primary goes on in the term it had. */
  | 'keeps its term'
  /** A backup forgets deletes. */
  | 'forgets deletes'
  /** A backup takes itself for the primary when it has heard nothing for a while. */
  | 'takes over';

const LOG_FILE = '/data/log';
const TERM_FILE = '/data/term';
const PERIOD_MS = 300;

export function toyNode(nodes: number, fault?: ToyFault): StartNode {
  return async (ports) => {
    const toy = new Toy(ports, nodes, fault);
    await toy.open();
    return toy.running;
  };
}

function nodeAt(address: string): NodeId {
  return address.replace(/\D/g, '').padStart(32, '0') as NodeId;
}

interface Waiting {
  readonly index: number;
  readonly observer: WriteObserver;
}

class Toy {
  readonly #ports: NodePorts;
  readonly #nodes: number;
  readonly #fault: ToyFault | undefined;
  #isPrimary: boolean;
  readonly #map = new Map<string, string>();
  #oldMap = new Map<string, string>();
  #frames: Frame[] = [];
  #term = 0 as Term;
  #commit = 0;
  #applied = 0;
  #durable = 0;
  #file: OpenFile | undefined;
  #fileBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #isServing = false;
  readonly #waiting: Waiting[] = [];
  readonly #links = new Map<NodeId, Link>();
  readonly #match = new Map<NodeId, number>();
  #heardMs: number;

  constructor(ports: NodePorts, nodes: number, fault: ToyFault | undefined) {
    this.#ports = ports;
    this.#nodes = nodes;
    this.#fault = fault;
    this.#isPrimary = ports.role === 'primary';
    this.#heardMs = ports.clock.nowMs();
  }

  get running(): RunningNode {
    const engine: Partial<Engine> = {
      guarantees: { fsync: 'always', acks: 'majority', linearizableReads: true },
      read: (key, sink) => this.#read(key, sink),
      readAll: (keys, sink, done) => {
        for (const key of keys) this.#read(key, sink);
        done();
      },
      write: (operation, observer) => {
        this.#write(operation, observer);
      },
      status: () => ({ members: [], advice: undefined }) as unknown as Status,
      close: () => this.#writing,
    };
    return {
      engine: engine as Engine,
      inspect: () => ({
        role: this.#isPrimary ? 'primary' : 'backup',
        service: this.#isServing ? 'serving' : this.#isPrimary ? 'waiting' : 'following',
        term: this.#term,
        commit: this.#commit as Index,
        applied: this.#applied as Index,
        last: this.#end,
      }),
      content: () => this.#map,
      close: () => this.#writing,
    };
  }

  get #end(): LogEnd {
    const last = this.#frames.at(-1);
    return last === undefined ? EMPTY_LOG : endOf(last);
  }

  async open(): Promise<void> {
    const { watcher, clock } = this.#ports;
    await this.#recover();
    watcher.opened(EMPTY_LOG, this.#frames);
    this.#durable = this.#end.index;
    this.#listen();
    if (this.#isPrimary) {
      if (this.#fault !== 'keeps its term' || this.#term === 0) {
        this.#take(termAfter(this.#term, this.#ports.random.next()));
      }
      const body = {
        kind: 'open',
        primary: nodeAt(this.#ports.address),
        configuration: undefined,
        lossAfter: undefined,
      } as const;
      this.#append([controlFrame(body, this.#term, this.#end)]);
    }
    clock.every(PERIOD_MS, () => {
      this.#tick();
    });
  }

  /** Reads what holds of the log, and writes it anew without the rest. */
  async #recover(): Promise<void> {
    const { files } = this.#ports;
    if (await files.exists(TERM_FILE)) {
      this.#term = Number((await readWhole(files, TERM_FILE)).toString()) as Term;
    }
    if (await files.exists(LOG_FILE)) {
      const bytes = await readWhole(files, LOG_FILE);
      let at = 0;
      for (let frame = readFrame(bytes, at, bytes.length); typeof frame === 'object';) {
        if (frame.previous !== this.#end.checksum) break;
        this.#frames.push(copyFrame(frame));
        at = frame.end;
        frame = readFrame(bytes, at, bytes.length);
      }
    }
    await this.#rewrite();
  }

  async #rewrite(): Promise<void> {
    const { files } = this.#ports;
    const file = await files.create(`${LOG_FILE}.new`);
    const bytes = Buffer.concat(this.#frames.map((frame) => frame.bytes.subarray(frame.start, frame.end)));
    await file.write(bytes, 0);
    await file.sync();
    await files.rename(`${LOG_FILE}.new`, LOG_FILE);
    await files.syncDirectory('/data');
    this.#file = file;
    this.#fileBytes = bytes.length;
  }

  #listen(): void {
    const { network, address } = this.#ports;
    const identity: PeerIdentity = {
      node: nodeAt(address),
      cluster: 'c' as ClusterId,
      address,
      fsync: 'always',
      role: this.#ports.role,
    };
    network.observe({
      identity: () => identity,
      admit: () => undefined,
      up: (link) => {
        this.#links.set(link.peer.node, link);
      },
      received: (link, message) => {
        this.#received(link, message);
      },
      down: (link) => {
        if (this.#links.get(link.peer.node) === link) this.#links.delete(link.peer.node);
      },
      unreachable: () => undefined,
    });
    if (!this.#isPrimary) return;
    const addresses = Array.from({ length: this.#nodes }, (_, at) => `10.0.0.${String(at + 1)}:7001`);
    const others = addresses.filter((each) => each !== address);
    network.reach(others.map((each) => ({ node: nodeAt(each), address: each })));
  }

  #tick(): void {
    this.#oldMap = new Map(this.#map);
    if (this.#isPrimary) {
      for (const link of this.#links.values()) this.#stream(link);
      return;
    }
    const silentMs = this.#ports.clock.nowMs() - this.#heardMs;
    if (this.#fault === 'takes over' && silentMs > 2000) this.#isPrimary = this.#isServing = true;
  }

  #received(link: Link, message: Message): void {
    if (message.kind === 'append') this.#follow(link, message);
    else if (message.kind === 'append answer') this.#acknowledged(link, message);
    else if (message.kind === 'fetch') this.#mismatched(link, message);
  }

  #stream(link: Link): void {
    const after = this.#match.get(link.peer.node) ?? this.#end.index;
    const previous = this.#frames.findLast((frame) => endOf(frame).index <= after);
    const frames = this.#frames.filter((frame) => frame.firstIndex > after).slice(0, 20);
    link.send({
      kind: 'append',
      term: this.#term,
      previous: previous === undefined ? EMPTY_LOG : endOf(previous),
      frames,
      commit: this.#commit as Index,
      isServing: this.#isServing,
      isMember: true,
    });
  }

  #history(): History {
    const spans: TermSpan[] = [];
    for (const frame of this.#frames) addToSpans(spans, frame);
    return { spans, last: this.#end };
  }

  #mismatched(link: Link, message: Fetch): void {
    const common = commonPrefix(this.#history(), message.history);
    this.#match.set(link.peer.node, common?.index ?? 0);
    this.#stream(link);
  }

  #acknowledged(link: Link, message: AppendAnswer): void {
    if (message.term !== this.#term) return;
    const before = this.#match.get(link.peer.node) ?? 0;
    this.#match.set(link.peer.node, Math.max(before, message.durable));
    this.#advance();
  }

  #follow(link: Link, message: Append): void {
    if (message.term < this.#term) return;
    if (message.term > this.#term) this.#take(message.term);
    this.#heardMs = this.#ports.clock.nowMs();
    const { previous, frames } = message;
    const has = previous.index === 0 || this.#frames.some((each) => isEnd(endOf(each), previous));
    if (!has) {
      this.#then(() => {
        const history = this.#history();
        link.send({ kind: 'fetch', term: this.#term, history });
        return Promise.resolve();
      });
      return;
    }
    const missing = frames.filter((frame) => !this.#frames.some((own) => own.checksum === frame.checksum));
    const [first] = missing;
    if (first !== undefined && first.firstIndex <= this.#end.index) this.#truncate(first.firstIndex - 1);
    this.#append(missing);
    const reach = Math.max(previous.index, ...frames.map((frame) => endOf(frame).index));
    const answer = (): void => {
      if (this.#term !== message.term) return;
      link.send({
        kind: 'append answer',
        term: this.#term,
        matched: reach as Index,
        durable: reach as Index,
      });
    };
    this.#writing.then(answer, () => undefined);
    this.#commit = Math.max(this.#commit, Math.min(message.commit, reach));
    this.#apply();
  }

  /** What is queued behind this runs once the term is durable. */
  #take(term: Term): void {
    this.#term = term;
    this.#then(async () => {
      await this.#ports.files.replace(TERM_FILE, Buffer.from(String(term)));
      await this.#ports.files.syncDirectory('/data');
    });
  }

  #truncate(lastIndex: number): void {
    this.#frames = this.#frames.filter((frame) => endOf(frame).index <= lastIndex);
    const end = this.#end;
    this.#ports.watcher.truncating(end);
    this.#ports.watcher.truncated(end);
    this.#durable = Math.min(this.#durable, end.index);
    this.#then(() => this.#rewrite());
  }

  #append(frames: readonly Frame[]): void {
    if (frames.length === 0) return;
    this.#ports.watcher.appending(frames);
    this.#frames.push(...frames);
    const last = this.#end.index;
    this.#then(async () => {
      for (const frame of frames) {
        await this.#file?.write(frame.bytes.subarray(frame.start, frame.end), this.#fileBytes);
        this.#fileBytes += frame.end - frame.start;
      }
      await this.#file?.sync();
      this.#durable = Math.max(this.#durable, Math.min(last, this.#end.index));
      if (this.#isPrimary) this.#advance();
    });
  }

  #then(work: () => Promise<void>): void {
    this.#writing = this.#writing.then(work);
    this.#writing.catch((error: unknown) => {
      this.#ports.failed(error);
    });
  }

  #advance(): void {
    if (!this.#isPrimary) return;
    const matches = [this.#durable, ...this.#match.values()].sort((a, b) => b - a);
    const majority = Math.floor(this.#nodes / 2) + 1;
    // The primary never changes, so what it does not have itself would be lost with its next start.
    const safe = Math.min(this.#durable, matches[majority - 1] ?? 0);
    const own = this.#fault === 'answers at once' ? this.#end.index : safe;
    const entry = this.#frames.find((frame) => endOf(frame).index === own);
    if (entry?.term !== this.#term || own <= this.#commit) return;
    this.#commit = own;
    this.#isServing = true;
    this.#apply();
    for (const link of this.#links.values()) this.#stream(link);
  }

  #apply(): void {
    for (const frame of this.#frames) {
      if (frame.firstIndex <= this.#applied || endOf(frame).index > this.#commit) continue;
      this.#change(frame);
      this.#applied = endOf(frame).index;
      while (this.#waiting[0] !== undefined && this.#waiting[0].index <= this.#applied) {
        this.#waiting.shift()?.observer.written(undefined, this.#lastCount);
      }
    }
  }

  #lastCount = 0;

  #change(frame: Frame): void {
    for (const { puts, deletes } of entriesOf(frame)) {
      this.#lastCount = puts.length;
      for (const [key, value] of puts) this.#map.set(key, value);
      if (this.#fault === 'forgets deletes' && !this.#isPrimary) continue;
      for (const key of deletes) if (this.#map.delete(key)) this.#lastCount++;
    }
  }

  #read(key: ByteRange, sink: ValueSink): ReadOutcome {
    if (this.#isPrimary && !this.#isServing) return refusal('NO_QUORUM', 'not yet');
    const name = key.bytes.toString('latin1', key.start, key.end);
    const value = (this.#fault === 'shows old values' ? this.#oldMap : this.#map).get(name);
    if (value === undefined) sink.miss();
    else sink.hit(Buffer.from(value, 'latin1'), 0, value.length);
    return 'answered';
  }

  #write(operation: Operation, observer: WriteObserver): void {
    const refused = this.#refusal();
    if (refused !== undefined) {
      observer.written(refused, 0);
      return;
    }
    const builder = new FrameBuilder();
    builder.append(operation);
    const frame = copyFrame(builder.seal(this.#term, (this.#end.index + 1) as Index, this.#end.checksum));
    this.#waiting.push({ index: frame.firstIndex, observer });
    this.#append([frame]);
    if (this.#fault === 'answers at once') this.#advance();
    for (const link of this.#links.values()) this.#stream(link);
  }

  #refusal(): Refusal | undefined {
    if (!this.#isPrimary) return refusal('NOT_PRIMARY', '10.0.0.1:7001 is the primary');
    return this.#isServing ? undefined : refusal('NO_QUORUM', 'not yet');
  }
}

function isEnd(a: LogEnd, b: LogEnd): boolean {
  return a.term === b.term && a.index === b.index && a.checksum === b.checksum;
}
