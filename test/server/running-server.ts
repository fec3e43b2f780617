import path from 'node:path';
import { startServer } from '../../src/cli/start-server.js';
import type { RunningNode, StartOptions } from '../../src/cli/start-server.js';
import { temporaryDirectory } from '../temporary-directory.js';

/** Small files, so that a test that starts a server costs little and fills segments soon. */
export const SMALL_SEGMENT_BYTES = 64 * 1024;

export interface ServerFixture {
  readonly directory: string;
  readonly dbPath: string;
  /** Starts a server on a port of the system's choice, stopped when the test is over. */
  start(options?: Partial<StartOptions>): Promise<RunningNode>;
}

/** Real servers in this process, for the tests of the enclosing suite. */
export function serverFixture(): ServerFixture {
  let running: RunningNode[] = [];
  afterEach(async () => {
    for (const node of running) await node.stop();
    running = [];
  });
  // Removed after the servers have let go of it: hooks run in the order in which they were named.
  const directory = temporaryDirectory();
  const fixture = {
    get directory() {
      return directory.path;
    },
    get dbPath() {
      return path.join(directory.path, 'kv-store.json');
    },
    async start(options: Partial<StartOptions> = {}) {
      const node = await startServer({
        address: { host: '127.0.0.1', port: 0 },
        dbPath: fixture.dbPath,
        segmentBytes: SMALL_SEGMENT_BYTES,
        ...options,
      });
      running.push(node);
      return node;
    },
  };
  return fixture;
}
