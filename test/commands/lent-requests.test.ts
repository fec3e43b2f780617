import { expect } from 'chai';
import { isNumbering, isWrite } from '../../src/commands/command.js';
import { findCommand } from '../../src/commands/resolve.js';
import type { ByteRange } from '../../src/engine.js';
import { text } from '../protocol/reading.js';
import { respReply } from '../protocol/replying.js';
import { range } from '../store/table-contract.js';
import { FakeEngine } from './fake-engine.js';
import { aSession } from './fake-session.js';

/** Answers no read, and shows which keys it was asked for. */
class WaitingEngine extends FakeEngine {
  keys: readonly ByteRange[] = [];

  override read(): never {
    return 'wait' as never;
  }

  override readAll(keys: unknown): void {
    this.keys = keys as readonly ByteRange[];
  }
}

describe('A read that waits', () => {
  for (const name of ['GET', 'MGET', 'EXISTS']) {
    it(`${name}KeepsItsKeysWhereTheirMemoryWasOnlyLent`, () => {
      const engine = new WaitingEngine();
      const command = findCommand(range(name));
      if (command === undefined || isWrite(command) || isNumbering(command)) throw new Error('it reads');
      const memory = Buffer.from('a-key');
      const words = [range(name), { bytes: memory, start: 0, end: memory.length }];
      const request = { words, terminated: true, framing: 'resp', isLent: true } as const;
      const done = (): void => expect.fail('nothing was answered yet');
      command.run(request, engine, respReply().reply, done, aSession());
      memory.fill('x');
      expect(engine.keys.map(text)).to.deep.equal(['a-key']);
    });
  }
});
