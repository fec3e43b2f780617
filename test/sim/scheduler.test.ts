import { expect } from 'chai';
import { MachineClock, processClock } from './machine-clock.js';
import { Process, Scheduler, TooManyEvents } from './scheduler.js';

const EXACT = { baseMs: 0, rate: 1, wallOffsetMs: 0 };

function startProcess(): { scheduler: Scheduler; process: Process; ran: string[] } {
  const scheduler = new Scheduler();
  return { scheduler, process: new Process(scheduler, 'p'), ran: [] };
}

describe('the scheduler', () => {
  it('RunsEventsByTimeAndThenInTheOrderAskedFor', async () => {
    const scheduler = new Scheduler();
    const ran: string[] = [];
    for (const [delayMs, name] of [
      [5, 'c'],
      [1, 'a'],
      [5, 'd'],
      [2, 'b'],
      [0, 'z'],
    ] as const) {
      scheduler.after(delayMs, name, () => ran.push(`${name}@${String(scheduler.nowMs)}`));
    }
    await scheduler.run(100);
    expect(ran).to.deep.equal(['z@0', 'a@1', 'b@2', 'c@5', 'd@5']);
    expect(scheduler.nowMs).to.equal(100);
  });

  it('FinishesWhatPromisesDoBeforeTheNextEvent', async () => {
    const scheduler = new Scheduler();
    const ran: string[] = [];
    scheduler.after(1, 'first', () => {
      void (async () => {
        for (let step = 0; step < 100; step++) await Promise.resolve();
        ran.push('promises');
      })();
    });
    scheduler.after(1, 'second', () => ran.push('second'));
    await scheduler.run(10);
    expect(ran).to.deep.equal(['promises', 'second']);
  });

  it('LetsRejectionsThatNobodyHandlesBeToldBeforeTheNextEvent', async () => {
    const others = process.listeners('unhandledRejection');
    const scheduler = new Scheduler();
    const ran: string[] = [];
    process.removeAllListeners('unhandledRejection');
    process.on('unhandledRejection', (reason) => ran.push(String(reason)));
    for (const name of ['first', 'second', 'third']) {
      scheduler.after(1, name, () => {
        ran.push(name);
        void Promise.reject(new Error(`of the ${name}`));
      });
    }
    await scheduler.run(10);
    process.removeAllListeners('unhandledRejection');
    for (const other of others) process.on('unhandledRejection', other);
    const told = ['first', 'second', 'third'].flatMap((name) => [name, `Error: of the ${name}`]);
    expect(ran).to.deep.equal(told);
  });

  it('DoesNotRunWhatWasCancelled', async () => {
    const { scheduler, process, ran } = startProcess();
    const cancel = process.post(1, 'one', () => ran.push('one'));
    process.post(2, 'two', () => ran.push('two'));
    cancel.cancel();
    await scheduler.run(10);
    expect(ran).to.deep.equal(['two']);
  });

  it('EndsAScheduleThatGoesOnWithoutEnd', async () => {
    const scheduler = new Scheduler(1000);
    const again = (): void => void scheduler.after(0, 'again', again);
    again();
    const error: unknown = await scheduler.run(1).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(TooManyEvents);
    expect(scheduler.count).to.equal(1001);
  });

  it('HasAnotherTraceWhenAnEventComesAtAnotherTime', async () => {
    const traceOf = async (delayMs: number): Promise<number> => {
      const scheduler = new Scheduler();
      scheduler.after(delayMs, 'one', () => undefined);
      await scheduler.run(10);
      return scheduler.trace;
    };
    expect(await traceOf(1)).to.equal(await traceOf(1));
    expect(await traceOf(1)).to.not.equal(await traceOf(2));
  });
});

describe('a simulated process', () => {
  it('RunsLateWhatCameDueWhileItWasPaused', async () => {
    const { scheduler, process, ran } = startProcess();
    const clock = processClock(process, new MachineClock(scheduler, EXACT));
    clock.after(10, () => ran.push(`timer@${String(clock.nowMs())}`));
    process.pause();
    scheduler.after(50, 'resume', () => {
      process.resume();
    });
    await scheduler.run(100);
    expect(ran).to.deep.equal(['timer@50']);
  });

  it('DoesNotRunWhatWasCancelledWhileItWasPaused', async () => {
    const { scheduler, process, ran } = startProcess();
    const cancel = process.post(10, 'one', () => ran.push('one'));
    process.pause();
    await scheduler.run(20);
    cancel.cancel();
    process.resume();
    await scheduler.run(30);
    expect(ran).to.deep.equal([]);
  });

  it('NeverRunsAgainOnceItHasEnded', async () => {
    const { scheduler, process, ran } = startProcess();
    const clock = processClock(process, new MachineClock(scheduler, EXACT));
    clock.every(10, () => ran.push('period'));
    clock.nextTurn(() => ran.push('turn'));
    await scheduler.run(25);
    process.end();
    process.post(1, 'posted', () => ran.push('posted'));
    await scheduler.run(100);
    expect(ran).to.deep.equal(['turn', 'period', 'period']);
  });

  it('TellsOnceWhenItEnds', () => {
    const { process, ran } = startProcess();
    process.whenEnded(() => ran.push('told'));
    process.whenEnded(() => ran.push('taken back')).cancel();
    process.end();
    process.end();
    expect(ran).to.deep.equal(['told']);
  });

  it('HasAClockOfItsOwnSpeed', async () => {
    const { scheduler, process, ran } = startProcess();
    const machine = new MachineClock(scheduler, { baseMs: 1000, rate: 2, wallOffsetMs: 500 });
    const clock = processClock(process, machine);
    clock.after(10, () =>
      ran.push(`${String(scheduler.nowMs)} ${String(clock.nowMs())} ${String(clock.wallMs())}`),
    );
    await scheduler.run(100);
    expect(ran).to.deep.equal(['5 1010 505']);
  });

  it('HasTimersThatAreDueAsMuchLaterAsTheMachineWasSuspended', async () => {
    const { scheduler, process, ran } = startProcess();
    const machine = new MachineClock(scheduler, EXACT);
    const clock = processClock(process, machine);
    clock.after(10, () => ran.push(`timer@${String(clock.nowMs())}, wall ${String(clock.wallMs())}`));
    clock.every(15, () => ran.push(`period@${String(scheduler.nowMs)}`));
    process.post(12, 'message', () => ran.push(`message@${String(scheduler.nowMs)}`));
    scheduler.after(4, 'suspend', () => {
      process.pause();
      machine.suspend();
    });
    scheduler.after(104, 'wake', () => {
      machine.wake();
      process.resume();
    });
    await scheduler.run(135);
    const periods = ['period@115', 'period@130'];
    expect(ran).to.deep.equal(['message@104', 'timer@10, wall 110', ...periods]);
  });

  it('HasTimersThatCanBeCancelledAfterTheMachineWasSuspended', async () => {
    const { scheduler, process, ran } = startProcess();
    const machine = new MachineClock(scheduler, EXACT);
    const timer = processClock(process, machine).after(10, () => ran.push('timer'));
    process.pause();
    machine.suspend();
    scheduler.after(50, 'wake', () => {
      machine.wake();
      process.resume();
    });
    scheduler.after(55, 'cancel', () => {
      timer.cancel();
    });
    await scheduler.run(100);
    expect(ran).to.deep.equal([]);
  });
});
