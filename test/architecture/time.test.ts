import { expect } from 'chai';
import { usesOfRandomness, usesOfTime } from './forbidden-uses.js';
import { parse, sourceFiles } from './source-files.js';

const CLOCK = 'src/clock.ts';
/** A socket's own timer knows how far a write has come; no clock does. */
const IDLE_SOCKETS = 'src/server/idle.ts';
/** Where the parts of a node, of a client, and of a check of data are put together. */
const COMPOSITION_ROOTS = ['src/cli/start-server.ts', 'src/client/options.ts', 'src/cli/commands/check.ts'];

describe('time and randomness in src', () => {
  it('are asked of the clock only', () => {
    const known = [CLOCK, IDLE_SOCKETS];
    const elsewhere = sourceFiles().filter((file) => !known.includes(file.fileName));
    expect(elsewhere.flatMap(usesOfTime)).to.deep.equal([]);
  });

  it('are found where they are: the clock itself uses timers', () => {
    const clock = sourceFiles().filter((file) => file.fileName === CLOCK);
    expect(clock.flatMap(usesOfTime)).to.not.be.empty;
  });

  it('are drawn where the parts are put together only', () => {
    const elsewhere = sourceFiles().filter((file) => !COMPOSITION_ROOTS.includes(file.fileName));
    expect(elsewhere.flatMap(usesOfRandomness)).to.deep.equal([]);
  });
});

describe('the check of time', () => {
  const refused = [
    'setTimeout(work, 5);',
    'const later = setInterval;',
    'globalThis.setImmediate(work);',
    'socket.setTimeout(5);',
    'const { setTimeout: later } = globalThis;',
    'const now = Date.now();',
    'const now = new Date();',
    'const now = Date();',
    'const D = Date;',
    'const now = new globalThis.Date();',
    'const now = performance.now();',
    'const now = process.hrtime();',
    'const now = process.hrtime.bigint();',
    `import { hrtime } from 'node:process';`,
    `import { performance as p } from 'node:perf_hooks';`,
    `import * as timers from 'node:timers';`,
    `import { scheduler } from 'node:timers/promises';`,
    `const timers = await import('node:timers/promises');`,
    'fetch(address, { signal: AbortSignal.timeout(5) });',
    'class Loop { #start = performance.now(); }',
    'class Loop { at = { setTimeout }; }',
  ];
  for (const text of refused) {
    it(`refuses ${text}`, () => {
      expect(usesOfTime(parse('src/node/loop.ts', text))).to.not.be.empty;
    });
  }

  const allowed = [
    'clock.after(5, work);',
    'const asked: Date | undefined = undefined;',
    'interface Fake { setTimeout(): void; Date: string }',
    'const fake = { performance: 1, Date: 2 };',
    'const when = status.Date;',
    `const text = 'Date.now()'; // setTimeout(work, 5)`,
    'const timeout = options.timeout;',
  ];
  for (const text of allowed) {
    it(`allows ${text}`, () => {
      expect(usesOfTime(parse('src/node/loop.ts', text))).to.deep.equal([]);
    });
  }
});

describe('the check of randomness', () => {
  const refused = [
    'const chance = Math.random();',
    'const { random } = Math;',
    `const chance = Math['random']();`,
    'const M = Math;',
    `import { randomBytes } from 'node:crypto';`,
    `import { randomUUID as draw } from 'node:crypto';`,
    'const id = crypto.randomUUID();',
    'crypto.getRandomValues(bytes);',
  ];
  for (const text of refused) {
    it(`refuses ${text}`, () => {
      expect(usesOfRandomness(parse('src/node/loop.ts', text))).to.not.be.empty;
    });
  }

  const allowed = [
    'const least = Math.min(1, 2);',
    'termAfter(highest, random);',
    'const { random } = options;',
  ];
  for (const text of allowed) {
    it(`allows ${text}`, () => {
      expect(usesOfRandomness(parse('src/node/loop.ts', text))).to.deep.equal([]);
    });
  }
});
