import net from 'node:net';
import type { Random } from '../random.js';
import type { Content } from './content.js';

/** Requests that a writer has under way. */
const WINDOW = 64;
const SINGLE_KEYS = 6;
const GROUP_KEYS = 3;

interface Sent {
  /** What it does to the keys; undefined deletes. */
  readonly changes: readonly (readonly [key: string, value: string | undefined])[];
  /** Undefined when any answer that is no error will do. */
  readonly expected: string | undefined;
  answer: string | undefined;
}

/** What one version of a key holds: every stretch of it tells key and version, so a torn or mixed one shows. */
export function versionedValue(key: string, version: number, length: number): string {
  const mark = `${key}@${String(version)};`;
  const text = `${String(length)}:${mark}${mark.repeat(length / mark.length)}`;
  // Some are no UTF-8, and travel and rest in other forms.
  return version % 5 === 0 ? `\xff\n${text}` : text;
}

/**
 * A client that pipelines writes to keys of its own, and knows afterwards what the store may hold: its requests
 * take effect in the order sent, so there is one place in that order up to which all is done and behind which nothing is,
 * and everything that was answered lies before it.
 */
export class Writer {
  /** Writes that were answered with success, over all connections. */
  acknowledged = 0;
  /** Told at every answer. */
  onAnswer: () => void = () => undefined;
  readonly #name: string;
  readonly #random: Random;
  #settled = new Map<string, string>();
  /** What the keys hold when all that was sent is done. */
  #latest = new Map<string, string>();
  #sent: Sent[] = [];
  #answered = 0;
  #version = 0;
  #isSending = true;
  #socket: net.Socket | undefined;
  #rest = '';
  #defect: string | undefined;
  /** Resolves when the connection is over. */
  closed: Promise<void> = Promise.resolve();

  constructor(name: string, random: Random) {
    this.#name = name;
    this.#random = random;
  }

  /** How many requests of this connection were answered. */
  get answered(): number {
    return this.#answered;
  }

  get sent(): number {
    return this.#sent.length;
  }

  /** Answers that were errors. */
  get refusals(): string[] {
    return this.#sent.flatMap(({ answer }) => (answer?.startsWith('ERROR ') === true ? [answer] : []));
  }

  async begin(address: string): Promise<void> {
    const at = address.lastIndexOf(':');
    const socket = net.connect(Number(address.slice(at + 1)), address.slice(0, at));
    this.#socket = socket;
    this.#isSending = true;
    this.closed = new Promise((resolve) => socket.on('close', () => resolve()));
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    socket.on('error', () => undefined);
    socket.on('end', () => (this.#isSending = false));
    socket.on('data', (chunk) => this.#receive(chunk));
    this.#fill();
  }

  /** Sends nothing more and waits for the answers. */
  async finish(): Promise<void> {
    this.#isSending = false;
    this.#socket?.end();
    await this.closed;
  }

  /**
   * Checks what the store holds after this connection is over, and takes it for the start of the next.
   *
   * @returns how many requests that were not answered had been done.
   */
  settle(content: Content): number {
    if (this.#defect !== undefined) throw new Error(this.#defect);
    const first = this.#sent.findLastIndex(isAcknowledgedWrite) + 1;
    const state = new Map(this.#settled);
    for (let place = 0; ; place++) {
      if (place >= first && this.#matches(state, content)) {
        this.#settled = state;
        this.#latest = new Map(state);
        this.#sent = [];
        this.#answered = 0;
        this.#rest = '';
        return place - first;
      }
      const next = this.#sent[place];
      if (next === undefined) throw new Error(this.#explain(content, first));
      apply(state, next);
    }
  }

  #matches(state: Content, content: Content): boolean {
    return this.keys.every((key) => state.get(key) === content.get(key));
  }

  get keys(): string[] {
    const single = Array.from({ length: SINGLE_KEYS }, (_, at) => `${this.#name}-${String(at)}`);
    return [...single, ...this.#group];
  }

  get #group(): string[] {
    return Array.from({ length: GROUP_KEYS }, (_, at) => `${this.#name}-group-${String(at)}`);
  }

  #explain(content: Content, first: number): string {
    const lines = this.keys.map((key) => {
      const value = content.get(key);
      const places = this.#sent.flatMap(({ changes }, at) =>
        changes.some(([changed, to]) => changed === key && to === value) ? [at] : [],
      );
      const origin = value === this.#settled.get(key) ? 'as it was, ' : '';
      const shown = value === undefined ? 'nothing' : JSON.stringify(value.slice(0, 40));
      return `  ${key}: ${shown}, ${origin}from requests ${places.slice(-5).join(' ') || 'none'}`;
    });
    const counts = `the last acknowledged is ${String(first - 1)} of ${String(this.#sent.length)}`;
    return `no order of ${this.#name} leads here; ${counts}\n${lines.join('\n')}`;
  }

  #fill(): void {
    let bytes = '';
    while (this.#isSending && this.#sent.length - this.#answered < WINDOW) bytes += this.#next();
    if (bytes !== '') this.#socket?.write(Buffer.from(bytes, 'latin1'));
  }

  /** Thinks of a request, notes what it does, and answers its line. */
  #next(): string {
    const random = this.#random;
    const choice = random.below(300);
    if (choice === 0) return this.#note('SNAPSHOT', [], undefined);
    if (choice < 30) {
      const group = this.#group.map((key) => [key, this.#newValue(key)] as const);
      const words = group.map(([key, value]) => `${key} ${quoted(value)}`);
      return this.#note(`MSET ${words.join(' ')}`, group, 'OK');
    }
    const key = random.pick(this.keys);
    const before = this.#latest.get(key);
    if (choice < 60)
      return this.#note(`DELETE ${key}`, [[key, undefined]], before === undefined ? 'NULL' : 'OK');
    if (choice < 90) return this.#note(`GET ${key}`, [], before === undefined ? 'NULL' : shown(before));
    const value = this.#newValue(key);
    return this.#note(`PUT ${key} ${quoted(value)}`, [[key, value]], 'OK');
  }

  #note(line: string, changes: Sent['changes'], expected: string | undefined): string {
    const sent = { changes, expected, answer: undefined };
    this.#sent.push(sent);
    apply(this.#latest, sent);
    return `${line}\n`;
  }

  #newValue(key: string): string {
    const length = this.#random.below(60) === 0 ? this.#random.below(30_000) : this.#random.below(400);
    return versionedValue(key, ++this.#version, length);
  }

  #receive(chunk: Buffer): void {
    const lines = (this.#rest + chunk.toString('latin1')).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.#take(line);
    this.onAnswer();
    this.#fill();
  }

  #take(answer: string): void {
    const sent = this.#sent[this.#answered++]!;
    sent.answer = answer;
    if (isError(answer)) return;
    if (sent.changes.length > 0) this.acknowledged++;
    // What was refused before makes other answers right.
    if (sent.expected === undefined || sent.expected === answer || this.refusals.length > 0) return;
    const where = `request ${String(this.#answered - 1)} of ${this.#name}`;
    this.#defect ??= `${where} was answered ${answer.slice(0, 60)} instead of ${sent.expected.slice(0, 60)}`;
  }
}

/** A write that was refused is not done, neither now nor later; of one that is unconfirmed nobody knows. */
function apply(state: Map<string, string>, { changes, answer }: Sent): void {
  if (answer !== undefined && isError(answer) && !answer.startsWith('ERROR UNCONFIRMED ')) return;
  for (const [key, value] of changes) {
    if (value === undefined) state.delete(key);
    else state.set(key, value);
  }
}

/** A read says nothing about what was sent before it: it is also answered behind a write that failed. */
function isAcknowledgedWrite({ changes, answer }: Sent): boolean {
  return changes.length > 0 && answer !== undefined && !isError(answer);
}

function isError(answer: string): boolean {
  return answer.startsWith('ERROR ');
}

function quoted(value: string): string {
  return `"${value.replaceAll('\n', '\\n').replaceAll('\xff', '\\xff')}"`;
}

/** As GET prints it. */
function shown(value: string): string {
  return value.startsWith('\xff') ? quoted(value) : value;
}
