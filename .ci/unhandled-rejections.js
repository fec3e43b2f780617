import { inspect } from 'node:util';

const told = new WeakSet();

/**
 * A rejection that nobody handles ends a server, so it fails the test that it comes up in. Mocha does nothing but emit the event
 * a second time. It is shown here as well, because mocha may break off when a test ends that has failed already.
 */
process.on('unhandledRejection', (reason, promise) => {
  if (told.has(promise)) return;
  told.add(promise);
  process.stderr.write(`nobody handles this rejection: ${inspect(reason)}\n`);
  throw reason;
});
