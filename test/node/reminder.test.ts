import { expect } from 'chai';
import { Reminder } from '../../src/node/reminder.js';
import { HeldClock } from './engine-fixture.js';

describe('A reminder', () => {
  it('ComesOnceHoweverOftenItIsAskedForAndAgainWhenItIsAskedForAfterwards', () => {
    const clock = new HeldClock();
    let reminded = 0;
    const reminder = new Reminder(clock, () => reminded++);
    for (let asked = 0; asked < 1000; asked++) reminder.ask(2);
    clock.pass(1);
    expect(reminded).to.equal(0);
    clock.pass(1);
    expect(reminded).to.equal(1);
    clock.pass(10);
    expect(reminded).to.equal(1);
    reminder.ask(3);
    clock.pass(3);
    expect(reminded).to.equal(2);
  });

  it('MayAskForTheNextOne', () => {
    const clock = new HeldClock();
    let reminded = 0;
    const reminder: Reminder = new Reminder(clock, () => {
      if (++reminded < 3) reminder.ask(2);
    });
    reminder.ask(2);
    clock.pass(20);
    expect(reminded).to.equal(3);
  });

  it('NeverComesOnceItWasCalledOff', () => {
    const clock = new HeldClock();
    let reminded = 0;
    const reminder = new Reminder(clock, () => reminded++);
    reminder.ask(2);
    reminder.cancel();
    clock.pass(10);
    expect(reminded).to.equal(0);
  });
});
