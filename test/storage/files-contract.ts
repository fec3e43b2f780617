import { expect } from 'chai';
import { errorCode, readWhole } from '../../src/storage/files.js';
import type { Files } from '../../src/storage/files.js';

async function store(files: Files, file: string, text: string): Promise<void> {
  const open = await files.create(file);
  await open.write(Buffer.from(text), 0);
  await open.close();
}

async function textOf(files: Files, file: string): Promise<string> {
  return (await readWhole(files, file)).toString();
}

async function codeOf(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => 'done',
    (error: unknown) => errorCode(error),
  );
}

/** What every implementation of the port must do. `inPlace` hands out files and an empty directory of theirs. */
export function filesContract(
  inPlace: (work: (files: Files, directory: string) => Promise<void>) => Promise<void>,
): void {
  const keeps = (name: string, work: (files: Files, directory: string) => Promise<void>): void => {
    it(name, () => inPlace(work));
  };

  keeps('KeepsWhatWasWrittenAtItsPositions', async (files, directory) => {
    const open = await files.create(`${directory}/a`);
    await open.write(Buffer.from('later'), 10);
    await open.write(Buffer.from('first'), 0);
    await open.sync();
    expect(await open.size()).to.equal(15);
    const bytes = Buffer.alloc(20, 1);
    expect(await open.read(bytes, 0)).to.equal(15);
    expect(bytes.toString('latin1', 0, 15)).to.equal('first\0\0\0\0\0later');
    expect(await open.read(bytes, 15)).to.equal(0);
    expect(await open.read(bytes, 100)).to.equal(0);
    await open.close();
    expect(await textOf(files, `${directory}/a`)).to.equal('first\0\0\0\0\0later');
  });

  for (const [how, opened] of [
    ['open', (files: Files, file: string) => files.open(file)],
    ['openDurable', (files: Files, file: string) => files.openDurable(file)],
  ] as const) {
    keeps(`WritesPiecesOneBehindTheOther: ${how}`, async (files, directory) => {
      await store(files, `${directory}/a`, '0123456789abcdef');
      const open = await opened(files, `${directory}/a`);
      const pieces = ['one', '', 'two', 'three'].map((text) => Buffer.from(text));
      await open.writeGathered(pieces, 2);
      expect(await textOf(files, `${directory}/a`)).to.equal('01onetwothreedef');
      open.writeGatheredNow(pieces.slice(0, 3), 5);
      expect(await textOf(files, `${directory}/a`)).to.equal('01oneonetwoeedef');
      await open.writeGathered(
        Array.from({ length: 3000 }, (_, at) => Buffer.from(String(at % 10))),
        0,
      );
      expect(await open.size()).to.equal(3000);
      open.writeGatheredNow(
        Array.from({ length: 3000 }, (_, at) => Buffer.from(String(at % 7))),
        3000,
      );
      expect((await textOf(files, `${directory}/a`)).slice(2995, 3010)).to.equal('567890123456012');
      await open.close();
      expect(await codeOf(open.writeGathered(pieces, 0))).to.equal('EBADF');
      expect(() => {
        open.writeGatheredNow(pieces, 0);
      }).to.throw();
    });
  }

  keeps('OpensForDurableWritesOnlyWhatIsThere', async (files, directory) => {
    expect(await codeOf(files.openDurable(`${directory}/a`))).to.equal('ENOENT');
    expect(await files.exists(`${directory}/a`)).to.equal(false);
  });

  keeps('CreatesInPlaceOfWhatWasThere', async (files, directory) => {
    await store(files, `${directory}/a`, 'long content');
    await store(files, `${directory}/a`, 'short');
    expect(await textOf(files, `${directory}/a`)).to.equal('short');
    await files.duplicate(`${directory}/a`, `${directory}/b`);
    await store(files, `${directory}/a`, 'another');
    expect(await textOf(files, `${directory}/b`)).to.equal('short');
  });

  keeps('OpensOnlyWhatIsThere', async (files, directory) => {
    expect(await codeOf(files.open(`${directory}/a`))).to.equal('ENOENT');
    expect(await files.exists(`${directory}/a`)).to.equal(false);
    await store(files, `${directory}/a`, '');
    expect(await files.exists(`${directory}/a`)).to.equal(true);
    expect(await files.exists(directory)).to.equal(true);
  });

  keeps('OpensForReadingWithoutLettingAnybodyWrite', async (files, directory) => {
    expect(await codeOf(files.openToRead(`${directory}/a`))).to.equal('ENOENT');
    await store(files, `${directory}/a`, 'text');
    const open = await files.openToRead(`${directory}/a`);
    expect(await open.size()).to.equal(4);
    const bytes = Buffer.alloc(4);
    expect(await open.read(bytes, 0)).to.equal(4);
    expect(bytes.toString()).to.equal('text');
    expect(await codeOf(open.write(Buffer.from('other'), 0))).to.equal('EBADF');
    await open.close();
    expect(await textOf(files, `${directory}/a`)).to.equal('text');
  });

  keeps('ListsNames', async (files, directory) => {
    expect(await files.list(`${directory}/none`)).to.equal(undefined);
    await files.makeDirectory(`${directory}/one/two`);
    await files.makeDirectory(`${directory}/one/two`);
    expect(await files.list(`${directory}/one`)).to.deep.equal(['two']);
    await store(files, `${directory}/one/file`, '');
    expect((await files.list(`${directory}/one`))?.sort()).to.deep.equal(['file', 'two']);
    await files.syncDirectory(`${directory}/one`);
    expect(await codeOf(files.syncDirectory(`${directory}/none`))).to.equal('ENOENT');
  });

  keeps('RenamesOverWhatWasThere', async (files, directory) => {
    await store(files, `${directory}/a`, 'new');
    await store(files, `${directory}/b`, 'old');
    await files.rename(`${directory}/a`, `${directory}/b`);
    expect(await files.list(directory)).to.deep.equal(['b']);
    expect(await textOf(files, `${directory}/b`)).to.equal('new');
    expect(await codeOf(files.rename(`${directory}/a`, `${directory}/b`))).to.equal('ENOENT');
  });

  keeps('AnOpenFileOutlivesItsName', async (files, directory) => {
    const open = await files.create(`${directory}/a`);
    await files.rename(`${directory}/a`, `${directory}/b`);
    await open.write(Buffer.from('text'), 0);
    await open.close();
    expect(await textOf(files, `${directory}/b`)).to.equal('text');
  });

  keeps('DuplicatesAsOftenAsAskedAndLeavesNothingElse', async (files, directory) => {
    await store(files, `${directory}/a`, 'content');
    await files.duplicate(`${directory}/a`, `${directory}/b`);
    await files.duplicate(`${directory}/a`, `${directory}/b`);
    expect((await files.list(directory))?.sort()).to.deep.equal(['a', 'b']);
    await store(files, `${directory}/c`, 'other');
    await files.rename(`${directory}/c`, `${directory}/a`);
    expect(await textOf(files, `${directory}/b`)).to.equal('content');
    await files.duplicate(`${directory}/a`, `${directory}/b`);
    expect(await textOf(files, `${directory}/b`)).to.equal('other');
    expect(await codeOf(files.duplicate(`${directory}/none`, `${directory}/d`))).to.equal('ENOENT');
    expect((await files.list(directory))?.sort()).to.deep.equal(['a', 'b']);
  });

  keeps('RemovesAndDoesNotMindWhatIsNotThere', async (files, directory) => {
    await store(files, `${directory}/a`, '');
    await files.remove(`${directory}/a`);
    await files.remove(`${directory}/a`);
    expect(await files.list(directory)).to.deep.equal([]);
  });

  keeps('ReplacesAFileAsAWhole', async (files, directory) => {
    await files.replace(`${directory}/a`, Buffer.from('first and long'));
    await files.replace(`${directory}/a`, Buffer.from('second'));
    expect(await textOf(files, `${directory}/a`)).to.equal('second');
    expect(await files.list(directory)).to.deep.equal(['a']);
  });

  keeps('LocksAFileForOneAtATime', async (files, directory) => {
    const first = await files.lock(`${directory}/lock`, 'a long owner\n');
    expect(await files.lock(`${directory}/lock`, 'second\n')).to.equal(undefined);
    expect(await textOf(files, `${directory}/lock`)).to.equal('a long owner\n');
    await first?.release();
    const second = await files.lock(`${directory}/lock`, 'second\n');
    expect(second).to.not.equal(undefined);
    expect(await textOf(files, `${directory}/lock`)).to.equal('second\n');
    await second?.release();
  });

  keeps('NamesWhoHoldsALockAndLeavesNoTraceOfHavingLooked', async (files, directory) => {
    expect(await files.lockOwner(`${directory}/lock`)).to.equal(undefined);
    expect(await files.list(directory)).to.deep.equal([]);
    const lock = await files.lock(`${directory}/lock`, 'first\n');
    expect(await files.lockOwner(`${directory}/lock`)).to.equal('first\n');
    await lock?.release();
    expect(await files.lockOwner(`${directory}/lock`)).to.equal(undefined);
    expect(await textOf(files, `${directory}/lock`)).to.equal('first\n');
    const next = await files.lock(`${directory}/lock`, 'second\n');
    expect(next).to.not.equal(undefined);
    await next?.release();
  });
}
