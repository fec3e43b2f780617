import type { Socket } from 'node:net';
import { createClient } from '../../src/client/client.js';
import type { KvClient } from '../../src/client/client.js';
import type { ClientOptions } from '../../src/client/options.js';
import { OK, NOTHING, integer, notPrimary, refused, value, values } from './resp-answers.js';
import type { Script } from './scripted-server.js';
import { startScriptedServer } from './scripted-server.js';
import type { ScriptedServer } from './scripted-server.js';

/** What a test has a node do with a write, instead of doing and answering it. */
export type Fate =
  /** It arrived, and nothing happens. */
  | 'ignored'
  /** The connection breaks before it is done. */
  | 'broken'
  /** It is done, and the connection breaks before the answer. */
  | 'done and broken'
  /** It is done, and the answer never comes. */
  | 'done in silence'
  /** It is done, and this is answered. */
  | { readonly doneAndAnswered: string }
  /** Not done, and this is answered. */
  | { readonly answered: string };

interface Session {
  readonly answers: Map<number, string>;
  lowest: number;
}

/**
 * The state that the scripted nodes of a cluster share: a map and its sessions, as servers keep them. It notes what was
 * applied, and so shows what was applied twice.
 */
export class ScriptedStore {
  /** Every write that was done, in order. */
  readonly applied: string[] = [];
  readonly #data = new Map<string, string>();
  readonly #sessions = new Map<number, Session>();
  #lastSession = 6;

  openSession(): string {
    this.#sessions.set(++this.#lastSession, { answers: new Map(), lowest: 1 });
    return integer(this.#lastSession);
  }

  /** Forgets all of them, as after an hour. */
  expireSessions(): void {
    this.#sessions.clear();
  }

  /** Does a write, unless it was done under this number before. */
  write(words: readonly string[], under: readonly number[] | undefined): string {
    if (under === undefined) return this.#apply(words);
    const [id = 0, number = 0, lowest = 0] = under;
    const session = this.#sessions.get(id);
    if (session === undefined || number < session.lowest)
      return refused('SESSION_EXPIRED', 'open another one');
    session.lowest = Math.max(session.lowest, lowest);
    for (const known of session.answers.keys()) if (known < session.lowest) session.answers.delete(known);
    const answer = session.answers.get(number) ?? this.#apply(words);
    session.answers.set(number, answer);
    return answer;
  }

  read(key: string): string {
    const found = this.#data.get(key);
    return found === undefined ? NOTHING : value(found);
  }

  #apply(words: readonly string[]): string {
    this.applied.push(words.join(' '));
    const [command, key = '', text = ''] = words;
    if (command === 'DELETE') return this.#data.delete(key) ? OK : NOTHING;
    this.#data.set(key, text);
    return OK;
  }
}

export interface ScriptedNode {
  /** Whether it serves as the primary. */
  isPrimary: boolean;
  /** Whom it names when it does not. */
  primary: string;
  term: number;
  /** Whether it answers anything at all. What arrives meanwhile is lost. */
  isPaused: boolean;
  knowsSessions: boolean;
  /** Decides for each write, and for each opening of a session; undefined: as usual. */
  fateOf: (line: string, connection: number, socket: Socket) => Fate | undefined;
  readonly server: ScriptedServer;
}

/** A node of a cluster whose state is this store. */
async function startScriptedNode(store: ScriptedStore, port?: number): Promise<ScriptedNode> {
  const prefaces = new Map<number, readonly number[]>();
  /** Answers come in order: behind one that does not come there is none. */
  const silent = new Set<number>();
  const inOrder: Script = (line, socket, connection, words) => {
    const answer = script(line, socket, connection, words);
    if (answer === undefined) silent.add(connection);
    return silent.has(connection) ? undefined : answer;
  };
  const script: Script = (line, socket, connection, words) => {
    if (node.isPaused) return undefined;
    const [command = '', ...rest] = words;
    if (command === 'STATUS') return statusOf(node);
    if (command === 'GET') return node.isPrimary ? store.read(rest[0] ?? '') : notPrimary(node.primary);
    if (command === 'SESSION' && !node.knowsSessions) return refused('ERR', "unknown command 'SESSION'");
    if (command === 'SESSION' && rest.length === 3) {
      prefaces.set(connection, rest.map(Number));
      return OK;
    }
    const under = prefaces.get(connection);
    prefaces.delete(connection);
    const fate =
      node.fateOf(line, connection, socket) ??
      (node.isPrimary ? undefined : { answered: notPrimary(node.primary) });
    const work = (): string => (command === 'SESSION' ? store.openSession() : store.write(words, under));
    if (fate === undefined) return work();
    if (fate === 'ignored') return undefined;
    if (typeof fate === 'object') {
      if ('answered' in fate) return fate.answered;
      work();
      return fate.doneAndAnswered;
    }
    if (fate !== 'broken') work();
    if (fate !== 'done in silence') socket.destroy();
    return undefined;
  };
  const server = await startScriptedServer(inOrder, port);
  const node: ScriptedNode = {
    isPrimary: true,
    primary: 'unknown',
    term: 3,
    isPaused: false,
    knowsSessions: true,
    fateOf: () => undefined,
    server,
  };
  return node;
}

function statusOf({ isPrimary, primary, term }: ScriptedNode): string {
  const [role, service] = isPrimary ? ['primary', 'serving'] : ['backup', 'following'];
  return values(`role=${role}`, `service=${service}`, `primary=${primary}`, `term=${String(term)}`);
}

export interface ScriptedNodes {
  /** The state that the nodes of the test share. */
  readonly store: () => ScriptedStore;
  readonly startNode: (port?: number) => Promise<ScriptedNode>;
  /** A client of these nodes: of one by its address, of several by theirs. */
  readonly clientOf: (nodes: ScriptedNode | readonly ScriptedNode[], options?: ClientOptions) => KvClient;
}

/** Nodes and clients for the tests of the enclosing suite, all gone when a test is over. */
export function useScriptedNodes(): ScriptedNodes {
  let store = new ScriptedStore();
  const clients: KvClient[] = [];
  const nodes: ScriptedNode[] = [];
  beforeEach(() => {
    store = new ScriptedStore();
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    for (const { server } of nodes.splice(0)) await server.close();
  });
  return {
    store: () => store,
    async startNode(port) {
      const node = await startScriptedNode(store, port);
      nodes.push(node);
      return node;
    },
    clientOf(given, options = {}) {
      const whereTo = Array.isArray(given)
        ? { addresses: (given as readonly ScriptedNode[]).map(({ server }) => server.address) }
        : { address: (given as ScriptedNode).server.address };
      const client = createClient({ ...whereTo, ...options });
      clients.push(client);
      return client;
    },
  };
}

/** These fates befall the writes that arrive, one after the other, and then nothing does. Sessions open as usual. */
export function befall(node: ScriptedNode, ...fates: (Fate | undefined)[]): void {
  node.fateOf = (line) => (line === 'SESSION' ? undefined : fates.shift());
}
