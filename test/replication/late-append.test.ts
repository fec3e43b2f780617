import { expect } from 'chai';
import type { Index } from '../../src/engine.js';
import { EMPTY_LOG, endOf } from '../../src/log/frame.js';
import { step } from '../../src/replication/core.js';
import { NOW_MS, linkOf, logOf, named, nodeOf, placed, termOf } from './begun.js';

describe('An append that comes late', () => {
  it('FromBeforeTheSnapshotThatTheLogBeginsWithIsNoContradiction', () => {
    const frames = logOf([1, 1, 1, 1, 1]);
    const last = endOf(frames[4]!);
    const state = nodeOf({
      self: 'B',
      vote: 'A',
      lastPrimary: named('A'),
      configuration: placed('AB', { failover: 'manual' }),
      base: last,
    });
    const link = linkOf('A', 1, false);
    step(state, { kind: 'link up', link }, NOW_MS, 0.5);
    const message = {
      kind: 'append',
      term: termOf(1),
      previous: EMPTY_LOG,
      frames: frames.slice(0, 3),
      commit: 3 as Index,
      isServing: true,
      isMember: true,
      echoMs: undefined,
    } as const;
    const effects = step(state, { kind: 'message', link: link.id, message }, NOW_MS, 0.5);
    expect(effects.map(({ kind }) => kind)).to.not.include.members(['close link']);
    expect(state).to.include({ contradicted: undefined, last });
  });
});
