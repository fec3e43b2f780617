import { expect } from 'chai';
import { arrowsOf, findCycle } from './arrows.js';
import type { Arrow } from './arrows.js';
import { objection } from './import-rules.js';
import { parse, sourceFiles } from './source-files.js';

describe('the imports of src', () => {
  const arrows = sourceFiles().flatMap(arrowsOf);

  it('run in the allowed directions only', () => {
    expect(arrows).to.not.be.empty;
    expect(arrows.map(objection).filter((found) => found !== undefined)).to.deep.equal([]);
  });

  it('make no circle between files', () => {
    expect(findCycle(arrows)?.join(' → ')).to.equal(undefined);
  });
});

describe('the check of imports', () => {
  const refused: readonly [file: string, text: string][] = [
    ['src/engine.ts', `import { turn } from './clock.js';`],
    ['src/engine.ts', `import type { Clock } from './clock.js';`],
    ['src/clock.ts', `import { refusal } from './engine.js';`],
    ['src/log/frame.ts', `import { refusal } from '../engine.js';`],
    ['src/log/frame.ts', `import { type Position } from '../engine.js';`],
    ['src/log/frame.ts', `import { table } from '../store/table.js';`],
    ['src/protocol/line.ts', `import { commands } from '../commands/table.js';`],
    ['src/protocol/line.ts', `import type { Command } from '../commands/table.js';`],
    ['src/protocol/line.ts', `import { systemClock } from '../clock.js';`],
    ['src/store/table.ts', `import { showPosition } from '../log/term.js';`],
    ['src/replication/step.ts', `import { systemClock } from '../clock.js';`],
    ['src/storage/segment.ts', `import { Table } from '../store/table.js';`],
    ['src/node/loop.ts', `import { Segment } from '../storage/segment.js';`],
    ['src/node/loop.ts', `export { Segment } from '../storage/segment.js';`],
    ['src/node/loop.ts', `export * from '../storage/segment.js';`],
    ['src/node/loop.ts', `import '../storage/segment.js';`],
    ['src/node/loop.ts', `const later = await import('../storage/segment.js');`],
    ['src/node/loop.ts', `function open() { return require('../storage/segment.js'); }`],
    ['src/node/loop.ts', `import segment = require('../storage/segment.js');`],
    ['src/node/loop.ts', `const name = 'x'; const later = await import(name);`],
    ['src/node/loop.ts', `import { listen } from '../server/listener.js';`],
    ['src/commands/table.ts', `type Listener = import('../server/listener.js').Listener;`],
    ['src/commands/table.ts', `import { Engine } from '../node/loop.js';`],
    ['src/server/listener.ts', `import { Loop } from '../node/loop.js';`],
    ['src/server/listener.ts', `import { decidePromotion } from '../replication/promotion.js';`],
    ['src/server/listener.ts', `import { Client } from '../client/client.js';`],
    ['src/client/client.ts', `import { commands } from '../commands/table.js';`],
    ['src/client/client.ts', `import { listen } from '../server/listener.js';`],
    ['src/cli/main.ts', `import { Client } from '../index.js';`],
    ['src/index.ts', `export { main } from './cli/main.js';`],
    ['src/index.ts', `export { runServer } from './cli/server.js';`],
    ['src/server/server.ts', `import { EventLog } from '../event-log.js';`],
    ['src/store/table.ts', `import type { EventLog } from '../event-log.js';`],
    ['src/index.ts', `export { listen } from './server/listener.js';`],
    ['src/cellar/wine.ts', `import { refusal } from '../engine.js';`],
    ['src/cli/main.ts', `import about from '../../package.json';`],
    ['src/protocol/line.ts', `import { createServer } from 'node:net';`],
    ['src/node/loop.ts', `import { open } from 'node:fs/promises';`],
  ];
  for (const [file, text] of refused) {
    it(`refuses in ${file}: ${text}`, () => {
      const arrows = arrowsOf(parse(file, text));
      expect(arrows).to.have.length(1);
      expect(arrows.map(objection)[0]).to.be.a('string').that.includes(`${file}:1`);
    });
  }

  const allowed: readonly [file: string, text: string][] = [
    ['src/clock.ts', `import type { Term } from './engine.js';`],
    ['src/log/frame.ts', `import type { Position } from '../engine.js';`],
    ['src/log/frame.ts', `type Position = import('../engine.js').Position;`],
    ['src/log/frame.ts', `import { crc32 } from 'node:zlib';`],
    ['src/log/frame.ts', `import { showPosition } from './term.js';`],
    ['src/protocol/line.ts', `import { refusal } from '../engine.js';`],
    ['src/server/links.ts', `import { readFrame } from '../log/frame.js';`],
    ['src/server/links.ts', `import type { Message } from '../replication/message.js';`],
    ['src/server/links.ts', `import { parseAddress } from '../client/address.js';`],
    ['src/node/loop.ts', `import type { Segment } from '../storage/segment.js';`],
    ['src/node/loop.ts', `export type { Segment } from '../storage/segment.js';`],
    ['src/commands/table.ts', `import { showPosition } from '../log/term.js';`],
    ['src/server/listener.ts', `import { createServer } from 'node:net';`],
    ['src/protocol/line.ts', `import type { Socket } from 'node:net';`],
    ['src/cli/server.ts', `const storage = await import('../storage/segment.js');`],
    ['src/index.ts', `export { startServer } from './cli/start-server.js';`],
    ['src/server/server.ts', `import type { EventLog } from '../event-log.js';`],
  ];
  for (const [file, text] of allowed) {
    it(`allows in ${file}: ${text}`, () => {
      const arrows = arrowsOf(parse(file, text));
      expect(arrows).to.have.length(1);
      expect(arrows.map(objection)).to.deep.equal([undefined]);
    });
  }

  const circle = (...files: string[]): Arrow[] =>
    files.slice(1).map((to, at) => ({ from: files[at] ?? '', to, typeOnly: false, place: '' }));

  it('finds a circle of three files behind a tail', () => {
    expect(findCycle(circle('tail', 'a', 'b', 'c', 'a'))).to.deep.equal(['a', 'b', 'c', 'a']);
  });

  it('finds a file that imports itself', () => {
    expect(findCycle(circle('a', 'a'))).to.deep.equal(['a', 'a']);
  });

  it('takes two ways to one file for no circle', () => {
    expect(findCycle([...circle('a', 'b', 'd'), ...circle('a', 'c', 'd')])).to.equal(undefined);
  });
});
