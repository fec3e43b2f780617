import { expect } from 'chai';
import fc from 'fast-check';
import type { Index, NodeId, Term } from '../../src/engine.js';
import { configurationOf, controlEntryOf, controlFrame, isMark } from '../../src/log/control.js';
import type { Configuration, ControlEntry, Peer } from '../../src/log/control.js';
import { EntryKind, FrameBuilder } from '../../src/log/entry.js';
import { FRAME_ROOM_BYTES, readFrame } from '../../src/log/frame.js';
import type { LogEnd } from '../../src/log/frame.js';
import { frameOf, range, readAll } from './frames.js';

const anyTerm = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }) as fc.Arbitrary<Term>;
const anyIndex = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER - 10 }) as fc.Arbitrary<Index>;
const anyText = fc.oneof(fc.string({ unit: 'binary', maxLength: 30 }), fc.constantFrom('__proto__', '"\n\\'));
const anyNode = fc.stringMatching(/^[0-9a-f]{32}$/) as fc.Arbitrary<NodeId>;
const anyPeer: fc.Arbitrary<Peer> = fc.record({ node: anyNode, address: anyText });
const anyPeers = fc.array(anyPeer, { maxLength: 4 });
const anyConfiguration: fc.Arbitrary<Configuration> = fc.record({
  members: anyPeers,
  learners: anyPeers,
  acks: fc.constantFrom('majority' as const, 'all' as const, '0' as const),
  failover: fc.constantFrom('manual' as const, 'auto' as const),
});
const anyEntry: fc.Arbitrary<ControlEntry> = fc.oneof(
  fc.record({
    kind: fc.constant('open' as const),
    primary: anyNode,
    configuration: fc.option(anyConfiguration, { nil: undefined }),
    lossAfter: fc.option(fc.record({ term: anyTerm, index: anyIndex }), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('configure' as const), configuration: anyConfiguration }),
);
const anyEnd: fc.Arbitrary<LogEnd> = fc.record({
  term: anyTerm,
  index: anyIndex,
  checksum: fc.nat({ max: 2 ** 32 - 1 }),
});

/** JSON has no `undefined`: a field that is not set may as well be missing. */
function withoutUnset(entry: ControlEntry | undefined): unknown {
  return entry === undefined
    ? undefined
    : Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined));
}

describe('A control entry', () => {
  it('IsReadAsItWasMadeAlsoFromTheBytesOfItsFrame', () => {
    fc.assert(
      fc.property(anyEntry, anyTerm, anyEnd, (entry, term, previous) => {
        const made = controlFrame(entry, term, previous);
        const read = readFrame(made.bytes, FRAME_ROOM_BYTES, made.end);
        if (typeof read === 'string') throw new Error(read);
        for (const frame of [made, read]) {
          expect(frame).to.include({ term, count: 1, firstIndex: previous.index + 1 });
          expect(frame.previous).to.equal(previous.checksum);
          expect(withoutUnset(controlEntryOf(frame))).to.deep.equal(withoutUnset(entry));
        }
      }),
    );
  });

  it('SetsTheConfigurationAtItsOwnPosition', () => {
    fc.assert(
      fc.property(anyEntry, anyTerm, anyEnd, (entry, term, previous) => {
        const position = { term, index: previous.index + 1 };
        const set = entry.kind === 'mark' ? undefined : entry.configuration;
        const expected = set === undefined ? undefined : { ...set, position };
        expect(configurationOf(controlFrame(entry, term, previous))).to.deep.equal(expected);
      }),
    );
  });

  it('ChangesNothingInTheMap', () => {
    const previous = { term: 1 as Term, index: 4 as Index, checksum: 7 };
    const primary = 'a'.repeat(32) as NodeId;
    const entry = { kind: 'open', primary, configuration: undefined, lossAfter: undefined } as const;
    expect(readAll(controlFrame(entry, 2 as Term, previous))).to.deep.equal([{ index: 5, words: ['open'] }]);
  });

  it('IsAMarkOnlyWhenItIsOne', () => {
    const previous = { term: 1 as Term, index: 4 as Index, checksum: 7 };
    const mark = controlFrame({ kind: 'mark' }, 1 as Term, previous);
    expect(isMark(mark)).to.equal(true);
    expect(readAll(mark)).to.deep.equal([{ index: 5, words: ['mark'] }]);
    const open = { kind: 'open', primary: 'a'.repeat(32) as NodeId, configuration: undefined } as const;
    expect(isMark(controlFrame({ ...open, lossAfter: undefined }, 1 as Term, previous))).to.equal(false);
    expect(isMark(frameOf([{ kind: 'delete', keys: [range('k')] }]))).to.equal(false);
  });

  it('IsNotSeenInAFrameOfOperations', () => {
    const one = { kind: 'put', key: range('{}'), value: range('{"kind":"open"}') } as const;
    for (const operations of [[one], [one, one], [{ kind: 'delete', keys: [range('{}')] } as const]]) {
      expect(controlEntryOf(frameOf(operations))).to.equal(undefined);
      expect(configurationOf(frameOf(operations))).to.equal(undefined);
    }
  });

  it('ThatIsNotJsonIsNotTakenForNone', () => {
    for (const kind of [EntryKind.open, EntryKind.configure]) {
      const builder = new FrameBuilder();
      builder.control(kind, Buffer.from('{"primary":'));
      expect(() => controlEntryOf(builder.seal(1 as Term, 1 as Index, 0))).to.throw(SyntaxError);
    }
  });
});
