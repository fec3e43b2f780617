import { expect } from 'chai';
import fc from 'fast-check';
import { rmSync } from 'node:fs';
import { createClient } from '../../src/client/client.js';
import { serverFixture } from './running-server.js';

const keys = fc.uint8Array({ minLength: 1, maxLength: 60 });
const text = fc.string({ unit: 'binary', maxLength: 60 }).map((value) => Buffer.from(value));
const values = fc.oneof(fc.uint8Array({ maxLength: 200 }), text);

/** The bytes of a key as a map can have them for a key. */
function name(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

describe('Any key and any value', () => {
  const fixture = serverFixture();

  /** Starts on what is there, and expects exactly the content. */
  async function expectContent(content: ReadonlyMap<string, Uint8Array>): Promise<void> {
    const node = await fixture.start();
    const client = createClient({ address: node.address });
    try {
      const listed = (await client.keys()).map((key) => name(key));
      expect(listed.sort()).to.deep.equal([...content.keys()].sort());
      for (const [key, value] of content) {
        const found = await client.get(Buffer.from(key, 'latin1'));
        expect(found?.equals(value), JSON.stringify(key)).to.equal(true);
      }
    } finally {
      client.close();
      await node.stop();
    }
  }

  it('ComeBackFromTheWireTheLogAndTheJsonFile', async () => {
    const model = new Map<string, Uint8Array>();
    const node = await fixture.start();
    const client = createClient({ address: node.address });
    await fc.assert(
      fc.asyncProperty(keys, values, async (key, value) => {
        await client.put(key, value);
        model.set(name(key), value);
        expect((await client.get(key))?.equals(value)).to.equal(true);
      }),
      { numRuns: 500 },
    );
    client.close();
    await node.stop();
    // From the JSON file, and the log behind it.
    await expectContent(model);
    // From the JSON file alone: a new node with that content.
    rmSync(`${fixture.dbPath}.d`, { recursive: true });
    await expectContent(model);
    // From a log that goes on behind content of that kind, without the JSON file: the one before it is used.
    rmSync(fixture.dbPath);
    await expectContent(model);
  });

  it('ComeBackFromTheLogAlone', async () => {
    const model = new Map<string, Uint8Array>();
    const node = await fixture.start();
    const client = createClient({ address: node.address });
    await fc.assert(
      fc.asyncProperty(keys, values, async (key, value) => {
        await client.put(key, value);
        model.set(name(key), value);
      }),
      { numRuns: 500 },
    );
    client.close();
    await node.stop();
    rmSync(fixture.dbPath);
    await expectContent(model);
  });
});
