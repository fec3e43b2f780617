import v8 from 'node:v8';
import vm from 'node:vm';

/**
 * Loaded into a server's process in front of everything else, this answers `SIGUSR2` with what is in use of its memory when
 * all garbage is gone: one line on stderr.
 */
v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc') as () => void;

process.on('SIGUSR2', () => {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  process.stderr.write(`in use: ${String(heapUsed + external)}\n`);
});
