import { expect } from 'chai';
import type { Index } from '../../src/engine.js';
import { REST_MS } from '../../src/node/transfer-pace.js';
import type { LinkId } from '../../src/replication/state.js';
import { B, feeding, settled } from './feeding.js';
import { chain } from './frames.js';

describe('Feeding from the log', () => {
  it('RestsBetweenReadsOfTheFilesBesideClientsThatWriteUnlessTheyWriteTooFast', async () => {
    const { feeder, inputs, log, clock, node } = feeding();
    await log.append(chain(3));
    const frames = await log.read(0 as Index, 1);
    const bytes = frames === 'trimmed' ? 0 : frames[0]!.end - frames[0]!.start;
    const write = (grownBytes: number): void => {
      node.commit++;
      log.appendedBytes += grownBytes;
    };
    const feed = async (): Promise<number> => {
      feeder.perform({ kind: 'feed', peer: B, link: 1 as LinkId, after: 0 as Index, bytesMax: 1 });
      await settled();
      return inputs.length;
    };
    expect(await feed()).to.equal(1);
    expect(await feed(), 'nobody writes').to.equal(2);
    write(Math.floor(bytes / 2));
    expect(await feed()).to.equal(2);
    clock.pass(REST_MS - 1);
    await settled();
    expect(inputs).to.have.length(2);
    clock.pass(1);
    await settled();
    expect(inputs).to.have.length(3);
    write(2 * bytes);
    expect(await feed(), 'it would hardly gain on them').to.equal(4);
  });

  it('GainsOnClientsHoweverFastTheyWriteAndRestsWhereItDoes', async () => {
    const READ_MS = 1.5;
    for (const [bytesAMs, mayRest] of [
      [5, 'always'],
      [40, 'at times'],
      [100, 'at times'],
      [500, 'never'],
    ] as const) {
      const { feeder, inputs, log, clock, node } = feeding();
      await log.append(chain(3));
      const frames = await log.read(0 as Index, 1);
      const bytes = frames === 'trimmed' ? 0 : frames[0]!.end - frames[0]!.start;
      // As if a frame were half a mebibyte.
      const write = (durationMs: number): void => {
        node.commit++;
        log.appendedBytes += (bytesAMs * 1000 * durationMs * bytes) / (512 * 1024);
      };
      let rests = 0;
      const reads = 400;
      for (let read = 1; read <= reads; read++) {
        feeder.perform({ kind: 'feed', peer: B, link: 1 as LinkId, after: 0 as Index, bytesMax: 1 });
        await settled();
        if (inputs.length < read) {
          rests++;
          write(REST_MS);
          clock.pass(REST_MS);
          await settled();
        }
        write(READ_MS);
        expect(inputs).to.have.length(read);
      }
      const gained = (reads * bytes) / log.appendedBytes;
      if (mayRest === 'always') expect(rests).to.equal(reads - 1);
      if (mayRest === 'at times') expect(gained, `${String(bytesAMs)} MB/s`).to.be.within(1.7, 2.2);
      if (mayRest === 'never') expect(rests).to.equal(0);
    }
  });

  it('HurriesSoonAfterClientsBegan', async () => {
    const { feeder, inputs, log, clock, node } = feeding();
    await log.append(chain(3));
    const frames = await log.read(0 as Index, 1);
    const bytes = frames === 'trimmed' ? 0 : frames[0]!.end - frames[0]!.start;
    let read = 0;
    const rests = async (): Promise<boolean> => {
      read++;
      feeder.perform({ kind: 'feed', peer: B, link: 1 as LinkId, after: 0 as Index, bytesMax: 1 });
      await settled();
      const isResting = inputs.length < read;
      clock.pass(REST_MS);
      await settled();
      expect(inputs).to.have.length(read);
      return isResting;
    };
    for (let alone = 0; alone < 1000; alone++) expect(await rests()).to.equal(false);
    let given = 0;
    for (let isResting = true; isResting; given++) {
      node.commit++;
      log.appendedBytes += bytes;
      isResting = await rests();
    }
    expect(given).to.be.below(64);
  });

  it('JudgesAnewOnceItWasFedFromMemory', async () => {
    const { feeder, cache, inputs, log, node } = feeding();
    const [first, second, third, fourth] = chain(4);
    await log.append([first!, second!, third!]);
    cache.add(fourth!);
    const feed = async (after: number): Promise<number> => {
      node.commit++;
      feeder.perform({ kind: 'feed', peer: B, link: 1 as LinkId, after: after as Index, bytesMax: 1 });
      await settled();
      return inputs.length;
    };
    expect(await feed(0)).to.equal(1);
    log.appendedBytes += 1e6;
    expect(await feed(0), 'they write too fast').to.equal(2);
    expect(await feed(3)).to.equal(3);
    expect(await feed(0)).to.equal(4);
    expect(await feed(0), 'they do no more').to.equal(4);
  });

  it('RestsBeforeTheNextReadThoughThatIsAskedForInTheTurnInWhichTheLastOneLeft', async () => {
    const { feeder, inputs, log, clock, node } = feeding();
    await log.append(chain(3));
    const feed = async (): Promise<number> => {
      feeder.perform({ kind: 'feed', peer: B, link: 1 as LinkId, after: 0 as Index, bytesMax: 1 });
      await settled();
      return inputs.length;
    };
    expect(await feed()).to.equal(1);
    node.commit++;
    expect(await feed(), 'a client writes').to.equal(1);
    node.commit++;
    clock.pass(REST_MS);
    await settled();
    expect(inputs).to.have.length(2);
    expect(await feed(), 'one wrote while the last one rested').to.equal(2);
    clock.pass(REST_MS);
    await settled();
    expect(inputs).to.have.length(3);
    expect(await feed(), 'nobody has since').to.equal(4);
  });
});
