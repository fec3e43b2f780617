import { systemClock } from '../../src/clock.js';
import { startServer } from '../../src/cli/start-server.js';
import { systemFiles } from '../../src/storage/files.js';

/** Starts a node whose disk takes its time for each small file, says where it listens, and stops. A program of its own. */

const SLOW_MS = 400;

const node = await startServer({
  address: { host: '127.0.0.1', port: 0 },
  dbPath: process.argv[2] ?? '',
  failover: 'auto',
  files: {
    ...systemFiles,
    async replace(file, bytes) {
      await new Promise<void>((resolve) => {
        systemClock.after(SLOW_MS, resolve);
      });
      await systemFiles.replace(file, bytes);
    },
  },
});
process.stdout.write(`${node.address}\n`);
await node.stop();
