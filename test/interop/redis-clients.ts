import { Redis as Ioredis5 } from 'ioredis5';
import { Redis as Ioredis6 } from 'ioredis6';
import { RESP_TYPES as RESP_TYPES_5, createClient as createNodeRedis5 } from 'redis5';
import { RESP_TYPES as RESP_TYPES_6, createClient as createNodeRedis6 } from 'redis6';

/** The same few things, said in each client's own words. Nothing of a client is replaced or configured beyond `options`. */
export interface Session {
  /** What the client told its listeners of: lost connections, and answers that it could not read. */
  readonly errors: readonly Error[];
  get(key: string): Promise<string | null>;
  set(key: string, value: string | Buffer): Promise<unknown>;
  setBytes(key: Buffer, value: Buffer): Promise<unknown>;
  getBytes(key: Buffer): Promise<Buffer | null>;
  del(keys: string[]): Promise<number>;
  exists(keys: string[]): Promise<number>;
  mget(keys: string[]): Promise<(string | null)[]>;
  mset(pairs: Record<string, string>): Promise<unknown>;
  keys(pattern: string): Promise<string[]>;
  /** With the client's own iterator. */
  scan(pattern: string, count: number): Promise<string[]>;
  dbsize(): Promise<number>;
  ping(): Promise<string>;
  echo(message: string): Promise<string>;
  select(index: number): Promise<unknown>;
  info(): Promise<string>;
  /** Any words, as they are. */
  call(words: readonly string[]): Promise<unknown>;
  /** With the client's own way to send many at once. */
  pipeline(requests: readonly (readonly string[])[]): Promise<unknown[]>;
  /** Says goodbye, and resolves when the connection is over. */
  quit(): Promise<unknown>;
  /** Lets go of the connection without a word. */
  abandon(): void;
}

export interface SessionOptions {
  readonly clientName?: string;
  /** Where the client has such an option: an answer `READONLY` makes it connect again, and ask once more. */
  readonly connectsAgainWhenReadOnly?: boolean;
}

export interface RedisClient {
  readonly name: string;
  readonly protocol: 2 | 3;
  open(address: string, options?: SessionOptions): Promise<Session>;
}

function hostAndPort(address: string): { host: string; port: number } {
  const at = address.lastIndexOf(':');
  return { host: address.slice(0, at), port: Number(address.slice(at + 1)) };
}

/** What both major versions of ioredis have. */
type Ioredis = Ioredis5 | Ioredis6;

function ioredisOptions(options: SessionOptions): object {
  const { clientName, connectsAgainWhenReadOnly = false } = options;
  return {
    ...(clientName === undefined ? {} : { connectionName: clientName }),
    ...(connectsAgainWhenReadOnly
      ? { reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? (2 as const) : false) }
      : {}),
  };
}

async function openIoredis(client: Ioredis): Promise<Session> {
  const errors: Error[] = [];
  client.on('error', (error: Error) => errors.push(error));
  await client.ping();
  return {
    errors,
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    setBytes: (key, value) => client.set(key, value),
    getBytes: (key) => client.getBuffer(key),
    del: (keys) => client.del(...keys),
    exists: (keys) => client.exists(...keys),
    mget: (keys) => client.mget(...keys),
    mset: (pairs) => client.mset(pairs),
    keys: (pattern) => client.keys(pattern),
    async scan(match, count) {
      const found: string[] = [];
      for await (const page of client.scanStream({ match, count })) found.push(...(page as string[]));
      return found;
    },
    dbsize: () => client.dbsize(),
    ping: () => client.ping(),
    echo: (message) => client.echo(message),
    select: (index) => client.select(index),
    info: () => client.info(),
    call: ([name, ...words]) => client.call(name!, ...words),
    async pipeline(requests) {
      const pipeline = client.pipeline();
      for (const [name, ...words] of requests) pipeline.call(name!, ...words);
      const outcomes = (await pipeline.exec()) ?? [];
      return outcomes.map(([error, answer]) => error ?? answer);
    },
    async quit() {
      const ended = new Promise((resolve) => client.once('end', resolve));
      await client.quit();
      await ended;
    },
    abandon: () => {
      client.disconnect();
    },
  };
}

/** node-redis says its options and answers in types that differ from version to version: only what is used is named. */
interface NodeRedis {
  on(event: 'error', listener: (error: Error) => void): unknown;
  connect(): Promise<unknown>;
  get(key: string): Promise<string | null>;
  set(key: string | Buffer, value: string | Buffer): Promise<unknown>;
  del(keys: string[]): Promise<number>;
  exists(keys: string[]): Promise<number>;
  mGet(keys: string[]): Promise<(string | null)[]>;
  mSet(pairs: Record<string, string>): Promise<unknown>;
  keys(pattern: string): Promise<string[]>;
  scanIterator(options: { MATCH: string; COUNT: number }): AsyncIterable<string[]>;
  dbSize(): Promise<number>;
  ping(): Promise<string>;
  echo(message: string): Promise<string>;
  select(index: number): Promise<unknown>;
  info(): Promise<string>;
  sendCommand(words: readonly string[]): Promise<unknown>;
  quit(): Promise<unknown>;
  readonly isOpen: boolean;
  destroy(): void;
}

interface NodeRedisOfBytes {
  get(key: Buffer): Promise<Buffer | null>;
}

/** A protocol is named only where it is not the one that the client speaks by itself. */
function nodeRedisOptions(address: string, protocol: 2 | 3 | undefined, options: SessionOptions): object {
  const { clientName } = options;
  return {
    url: `redis://${address}`,
    ...(protocol === undefined ? {} : { RESP: protocol }),
    ...(clientName === undefined ? {} : { name: clientName }),
  };
}

async function openNodeRedis(client: NodeRedis, bytes: NodeRedisOfBytes): Promise<Session> {
  const errors: Error[] = [];
  client.on('error', (error) => errors.push(error));
  await client.connect();
  return {
    errors,
    get: (key) => client.get(key),
    set: (key, value) => client.set(key, value),
    setBytes: (key, value) => client.set(key, value),
    getBytes: (key) => bytes.get(key),
    del: (keys) => client.del(keys),
    exists: (keys) => client.exists(keys),
    mget: (keys) => client.mGet(keys),
    mset: (pairs) => client.mSet(pairs),
    keys: (pattern) => client.keys(pattern),
    async scan(MATCH, COUNT) {
      const found: string[] = [];
      for await (const page of client.scanIterator({ MATCH, COUNT })) found.push(...page);
      return found;
    },
    dbsize: () => client.dbSize(),
    ping: () => client.ping(),
    echo: (message) => client.echo(message),
    select: (index) => client.select(index),
    info: () => client.info(),
    call: (words) => client.sendCommand(words),
    // It pipelines whatever is asked in one turn.
    pipeline: (requests) =>
      Promise.all(requests.map((words) => client.sendCommand(words).catch((error: unknown) => error))),
    quit: () => client.quit(),
    abandon: () => {
      if (client.isOpen) client.destroy();
    },
  };
}

function openNodeRedis5(address: string, options: SessionOptions = {}, protocol?: 2 | 3): Promise<Session> {
  const client = createNodeRedis5(nodeRedisOptions(address, protocol, options));
  return openNodeRedis(client, client.withTypeMapping({ [RESP_TYPES_5.BLOB_STRING]: Buffer }));
}

function openNodeRedis6(address: string, options: SessionOptions = {}, protocol?: 2 | 3): Promise<Session> {
  const client = createNodeRedis6(nodeRedisOptions(address, protocol, options));
  return openNodeRedis(client, client.withTypeMapping({ [RESP_TYPES_6.BLOB_STRING]: Buffer }));
}

/** Every client in the protocol that it speaks by itself, and in the other one where it has it. */
export const REDIS_CLIENTS: readonly RedisClient[] = [
  {
    name: 'ioredis 5',
    protocol: 2,
    open: (address, options = {}) =>
      openIoredis(new Ioredis5({ ...hostAndPort(address), ...ioredisOptions(options) })),
  },
  {
    name: 'ioredis 6',
    protocol: 3,
    open: (address, options = {}) =>
      openIoredis(new Ioredis6({ ...hostAndPort(address), ...ioredisOptions(options) })),
  },
  {
    name: 'ioredis 6 in RESP2',
    protocol: 2,
    open: (address, options = {}) =>
      openIoredis(new Ioredis6({ ...hostAndPort(address), ...ioredisOptions(options), protocol: 2 })),
  },
  {
    name: 'node-redis 5',
    protocol: 2,
    open: openNodeRedis5,
  },
  {
    name: 'node-redis 5 in RESP3',
    protocol: 3,
    open: (address, options) => openNodeRedis5(address, options, 3),
  },
  {
    name: 'node-redis 6',
    protocol: 3,
    open: openNodeRedis6,
  },
  {
    name: 'node-redis 6 in RESP2',
    protocol: 2,
    open: (address, options) => openNodeRedis6(address, options, 2),
  },
];
