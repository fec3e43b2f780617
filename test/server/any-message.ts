import fc from 'fast-check';
import type { Index, NodeId, Position, Term } from '../../src/engine.js';
import type { Peer, PlacedConfiguration } from '../../src/log/control.js';
import type { LogEnd } from '../../src/log/frame.js';
import type { History } from '../../src/log/history.js';
import type { Message } from '../../src/replication/message.js';
import type { PromotionAnswer } from '../../src/replication/promotion.js';
import { anyOperation, anyUint53, frameOf } from '../log/frames.js';

const flag = fc.boolean();
const whole = fc.maxSafeNat();
const term = whole as fc.Arbitrary<Term>;
const index = whole as fc.Arbitrary<Index>;
const uint32 = fc.nat({ max: 2 ** 32 - 1 });
/** No -0, which JSON does not know. */
const time = fc.double({ min: 0, max: 1e12, noNaN: true }).map((ms) => ms + 0);
const identity = fc.stringMatching(/^[0-9a-f]{32}$/);
const node = identity as fc.Arbitrary<NodeId>;
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 50 }), fc.constantFrom('__proto__', '"\n\\'));
const reason = fc.option(text, { nil: undefined });
const position: fc.Arbitrary<Position> = fc.record({ term, index });
const end: fc.Arbitrary<LogEnd> = fc.record({ term, index, checksum: uint32 });
const peer: fc.Arbitrary<Peer> = fc.record({ node, address: text });
const peers = fc.array(peer, { maxLength: 4 });
const nodes = fc.array(node, { maxLength: 4 });
const acks = fc.constantFrom('majority' as const, 'all' as const, '0' as const);
const configuration: fc.Arbitrary<PlacedConfiguration> = fc.record({
  members: peers,
  learners: peers,
  acks,
  failover: fc.constantFrom('manual' as const, 'auto' as const),
  position,
});
const span = fc.record({ term, firstIndex: index, isLossy: flag });
const history: fc.Arbitrary<History> = fc.record({ spans: fc.array(span, { maxLength: 5 }), last: position });
const membership = fc.record({ position, members: nodes, acks });
const answer: fc.Arbitrary<PromotionAnswer> = fc.record({
  node,
  last: position,
  memberships: fc.record({ committed: membership, open: fc.array(membership, { maxLength: 3 }) }),
  lastPrimary: fc.option(node, { nil: undefined }),
  isLeftOut: flag,
  isConfirmed: flag,
});
const frame = fc
  .tuple(fc.array(anyOperation, { minLength: 1, maxLength: 4 }), anyUint53, uint32)
  .map(([operations, atTerm, previous]) => frameOf(operations, { term: atTerm, index: 7, previous }));
const frames = fc.array(frame, { maxLength: 4 });
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));

type Models = {
  readonly [Kind in Message['kind']]: fc.Arbitrary<Omit<Extract<Message, { readonly kind: Kind }>, 'kind'>>;
};

/** Any message, of each kind. */
const MODELS: Models = {
  heartbeat: fc.record({
    term,
    last: end,
    commit: index,
    round: whole,
    isServing: flag,
    isMember: flag,
    leaseMs: time,
    echoMs: fc.option(time, { nil: undefined }),
  }),
  'heartbeat answer': fc.record({ term, round: whole, sentMs: time, leaseMs: time }),
  probe: fc.record({ term, probe: whole, history }),
  'probe answer': fc.record({ term, probe: whole, matched: index, durable: index, wantsSnapshot: flag }),
  append: fc.record({
    ...{ term, previous: end, frames, commit: index, isServing: flag, isMember: flag },
    echoMs: fc.option(time, { nil: undefined }),
  }),
  'append answer': fc.record({ term, matched: index, durable: index, sentMs: time }),
  mismatch: fc.record({ term }),
  'snapshot part': fc.record({
    ...{ term, end, configuration, offset: whole, bytes },
    lossAccepted: flag,
    isLast: flag,
  }),
  'snapshot answer': fc.record({ term, end, offset: whole, isInstalled: flag }),
  survey: fc.record({ term, attempt: whole }),
  'survey answer': fc.record({
    term,
    attempt: whole,
    role: fc.constantFrom('serving' as const, 'opening' as const, 'asking' as const, 'backup' as const),
    answer,
    primary: fc.option(node, { nil: undefined }),
    primaryAddress: fc.option(text, { nil: undefined }),
    hearsPrimary: flag,
    wantsPlace: flag,
    isWilling: flag,
    excludedBy: fc.option(configuration, { nil: undefined }),
    peers,
  }),
  fence: fc.record({ term, attempt: whole, isHandOver: flag, down: nodes }),
  'fence answer': fc.record({
    term,
    attempt: whole,
    isGranted: flag,
    reason,
    waitMs: fc.double({ min: 0, max: 1e6, noNaN: true }).map((ms) => ms + 0),
    answer,
    alive: nodes,
  }),
  fetch: fc.record({ term, history }),
  supply: fc.record({ term, previous: fc.option(end, { nil: undefined }), frames }),
  'take over': fc.record({ term }),
  'hand over': fc.record({ term, attempt: whole }),
  'hand over answer': fc.record({ term, attempt: whole, isReady: flag, reason }),
  'left out': fc.record({ term, configuration }),
  'left out answer': fc.record({ term }),
  'state checksum': fc.record({ term, end, checksum: text }),
  'state differs': fc.record({ term, end, right: text, isCertain: flag }),
};

export const KINDS = Object.keys(MODELS) as readonly Message['kind'][];

export function anyMessageOf(kind: Message['kind']): fc.Arbitrary<Message> {
  const model: fc.Arbitrary<object> = MODELS[kind];
  return model.map((fields) => ({ kind, ...fields }) as Message);
}

export const anyMessage: fc.Arbitrary<Message> = fc.oneof(...KINDS.map(anyMessageOf));

/** A message as plain data: its frames and bytes as text, so that two can be compared whatever buffers they lie in. */
export function plain(message: Message): object {
  if ('frames' in message) {
    const shown = message.frames.map(({ bytes: buffer, start, end: to, ...head }) => ({
      ...head,
      content: buffer.toString('latin1', start, to),
    }));
    return { ...message, frames: shown };
  }
  return 'bytes' in message ? { ...message, bytes: message.bytes.toString('latin1') } : message;
}
