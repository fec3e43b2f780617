import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import net from 'node:net';
import { fileURLToPath } from 'node:url';

/** Very many clients in a process of their own, which this file is too when it is run by itself. */

type Order =
  | { readonly kind: 'come'; readonly host: string; readonly port: number; readonly count: number }
  | { readonly kind: 'ask' }
  | { readonly kind: 'leave' };

/** How many have had their answer, or are gone; with the first few answers that were not the expected one. */
export interface Report {
  readonly done: number;
  readonly odd: readonly string[];
}

/** So many try to connect at the same time: more than a listening socket lets wait would be retried by the kernel. */
const AT_ONCE = 200;
const ODD_MAX = 3;
const QUESTIONS = { line: ['PING\n', 'PONG\n'], array: ['*1\r\n$4\r\nPING\r\n', '+PONG\r\n'] } as const;

/** The crowd, as the test sees it. */
export class ConnectionCrowd {
  readonly #child: ChildProcess;

  constructor() {
    this.#child = fork(fileURLToPath(import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  }

  /** Opens so many connections; every other one of them speaks the other framing. Resolves when all were answered. */
  come(address: string, count: number): Promise<Report> {
    const at = address.lastIndexOf(':');
    return this.#order({
      kind: 'come',
      host: address.slice(0, at),
      port: Number(address.slice(at + 1)),
      count,
    });
  }

  /** Has each of them ask once more, all at the same time. */
  ask(): Promise<Report> {
    return this.#order({ kind: 'ask' });
  }

  /** Ends all connections, and resolves when the other side has closed them too. */
  leave(): Promise<Report> {
    return this.#order({ kind: 'leave' });
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  #order(order: Order): Promise<Report> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void => {
        reject(new Error(`the crowd ended with ${String(code)}`));
      };
      this.#child.once('exit', ended);
      this.#child.once('message', (report) => {
        this.#child.off('exit', ended);
        resolve(report as Report);
      });
      this.#child.send(order);
    });
  }
}

class Member {
  readonly #socket: net.Socket;
  readonly #question: string;
  readonly #answer: string;
  #received = '';
  #settle: (odd: string | undefined) => void = () => undefined;

  constructor(host: string, port: number, [question, answer]: readonly [string, string]) {
    this.#question = question;
    this.#answer = answer;
    this.#socket = net.connect({ host, port, noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => {
      this.#received += chunk.toString('latin1');
      if (this.#received.length < this.#answer.length) return;
      const received = this.#received;
      this.#received = '';
      this.#settle(received === this.#answer ? undefined : received);
    });
    this.#socket.on('error', (error) => {
      this.#settle(error.message);
    });
    this.#socket.on('close', () => {
      this.#settle(`closed after ${this.#received}`);
    });
  }

  ask(): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.#settle = resolve;
      this.#socket.write(this.#question);
    });
  }

  leave(): Promise<undefined> {
    return new Promise((resolve) => {
      this.#settle = () => {
        resolve(undefined);
      };
      this.#socket.end();
    });
  }
}

async function report(answers: readonly Promise<string | undefined>[]): Promise<Report> {
  const odd = (await Promise.all(answers)).filter((answer) => answer !== undefined);
  return { done: answers.length - odd.length, odd: odd.slice(0, ODD_MAX) };
}

let members: Member[] = [];

async function come(host: string, port: number, count: number): Promise<Report> {
  let done = 0;
  const odd: string[] = [];
  while (members.length < count) {
    const coming = Array.from({ length: Math.min(AT_ONCE, count - members.length) }, (_, at) => {
      return new Member(host, port, at % 2 === 0 ? QUESTIONS.line : QUESTIONS.array);
    });
    members.push(...coming);
    const some = await report(coming.map((member) => member.ask()));
    done += some.done;
    odd.push(...some.odd);
  }
  return { done, odd: odd.slice(0, ODD_MAX) };
}

async function obey(order: Order): Promise<Report> {
  switch (order.kind) {
    case 'come':
      return come(order.host, order.port, order.count);
    case 'ask':
      return report(members.map((member) => member.ask()));
    case 'leave': {
      const leaving = members;
      members = [];
      return report(leaving.map((member) => member.leave()));
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.on('message', (order: Order) => {
    void obey(order).then((answer) => process.send!(answer));
  });
}
