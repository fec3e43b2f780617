import { expect } from 'chai';
import { LockQueueFull, RwLock } from '../../src/store/rw-lock.js';

/** Runs every promise reaction that is ready. */
async function settle(): Promise<void> {
  for (let round = 0; round < 5; round++) await Promise.resolve();
}

/** Asks for the lock and notes in `log` when it is held. */
function ask(
  lock: RwLock,
  kind: 'read' | 'write',
  name: string,
  log: string[],
  signal?: AbortSignal,
): Promise<void> {
  return lock[kind](signal).then(
    () => void log.push(name),
    () => void log.push(`${name} gave up`),
  );
}

describe('RwLock', () => {
  it('AFreeLockIsTakenInTheSameTurn', () => {
    const lock = new RwLock();
    expect(lock.tryRead()).to.equal(true);
    expect(lock.tryRead()).to.equal(true);
    expect(lock.tryWrite()).to.equal(false);
    lock.releaseRead();
    lock.releaseRead();
    expect(lock.tryWrite()).to.equal(true);
    expect(lock.tryWrite()).to.equal(false);
    expect(lock.tryRead()).to.equal(false);
    lock.releaseWrite();
    expect(lock.tryRead()).to.equal(true);
  });

  it('ReadersShareAndAWriterIsAlone', async () => {
    const lock = new RwLock();
    const log: string[] = [];
    expect(lock.tryWrite()).to.equal(true);
    void ask(lock, 'read', 'a', log);
    void ask(lock, 'read', 'b', log);
    void ask(lock, 'write', 'w', log);
    await settle();
    expect(log).to.deep.equal([]);
    lock.releaseWrite();
    await settle();
    expect(log).to.deep.equal(['a', 'b']);
    lock.releaseRead();
    await settle();
    expect(log).to.deep.equal(['a', 'b']);
    lock.releaseRead();
    await settle();
    expect(log).to.deep.equal(['a', 'b', 'w']);
  });

  it('ServesInTheOrderOfAskingSoThatNobodyStarves', async () => {
    const lock = new RwLock();
    const log: string[] = [];
    lock.tryRead();
    void ask(lock, 'write', 'w1', log);
    void ask(lock, 'read', 'r2', log);
    void ask(lock, 'write', 'w3', log);
    void ask(lock, 'read', 'r4', log);
    // The lock is held for reading only, and yet a newcomer does not overtake the writer that waits.
    expect(lock.tryRead()).to.equal(false);
    lock.releaseRead();
    await settle();
    expect(log).to.deep.equal(['w1']);
    lock.releaseWrite();
    await settle();
    expect(log).to.deep.equal(['w1', 'r2']);
    lock.releaseRead();
    await settle();
    expect(log).to.deep.equal(['w1', 'r2', 'w3']);
    lock.releaseWrite();
    await settle();
    expect(log).to.deep.equal(['w1', 'r2', 'w3', 'r4']);
  });

  it('NoNewcomerSlipsInBetweenAReleaseAndItsHeir', async () => {
    const lock = new RwLock();
    const log: string[] = [];
    lock.tryWrite();
    void ask(lock, 'write', 'heir', log);
    lock.releaseWrite();
    expect(lock.tryWrite()).to.equal(false);
    expect(lock.tryRead()).to.equal(false);
    await settle();
    expect(log).to.deep.equal(['heir']);
  });

  it('AnAbortedWaiterLeavesTheQueueAndLetsOthersPass', async () => {
    const lock = new RwLock();
    const log: string[] = [];
    const abort = new AbortController();
    lock.tryRead();
    void ask(lock, 'write', 'w', log, abort.signal);
    void ask(lock, 'read', 'r', log);
    await settle();
    expect(log).to.deep.equal([]);
    abort.abort(new Error('no longer wanted'));
    await settle();
    expect(log).to.have.members(['w gave up', 'r']);
    lock.releaseRead();
    lock.releaseRead();
    expect(lock.tryWrite()).to.equal(true);
  });

  it('AnAbortAfterTheLockWasGrantedChangesNothing', async () => {
    const lock = new RwLock();
    const abort = new AbortController();
    lock.tryWrite();
    const held = lock.read(abort.signal);
    lock.releaseWrite();
    abort.abort(new Error('too late'));
    await held;
    lock.releaseRead();
    expect(lock.tryWrite()).to.equal(true);
  });

  it('AnAbortedSignalIsRefusedBeforeTheLockIsTouched', async () => {
    const lock = new RwLock();
    const reason = new Error('stopped');
    const outcome = await lock.write(AbortSignal.abort(reason)).catch((error: unknown) => error);
    expect(outcome).to.equal(reason);
    expect(lock.tryWrite()).to.equal(true);
  });

  it('TheQueueIsBoundedAndOneMoreIsTurnedAway', async () => {
    const lock = new RwLock(3);
    lock.tryWrite();
    const log: string[] = [];
    for (const name of ['a', 'b', 'c']) void ask(lock, 'read', name, log);
    expect(lock.waiting).to.equal(3);
    const outcome = await lock.read().catch((error: unknown) => error);
    expect(outcome).to.be.instanceOf(LockQueueFull);
    lock.releaseWrite();
    await settle();
    expect(log).to.deep.equal(['a', 'b', 'c']);
  });

  it('AReleaseOfWhatIsNotHeldIsADefectAndSaysSo', () => {
    const lock = new RwLock();
    expect(() => {
      lock.releaseRead();
    }).to.throw('not held');
    lock.tryRead();
    expect(() => {
      lock.releaseWrite();
    }).to.throw('not held');
  });
});
