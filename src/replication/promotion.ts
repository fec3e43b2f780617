import type { NodeId, Position } from '../engine.js';
import { comparePositions } from '../log/term.js';
import { bindingMemberships } from './membership.js';
import type { KnownMemberships, Membership } from './membership.js';
import { areMet } from './quorum.js';
import type { Requirement } from './quorum.js';

/** What a node answers when it is asked whether somebody may become primary. */
export interface PromotionAnswer {
  readonly node: NodeId;
  readonly last: Position;
  readonly memberships: KnownMemberships;
  /** Who opened the last term of its log. */
  readonly lastPrimary: NodeId | undefined;
  /** It was told that it is no member any more. It counts nowhere until it is added again. */
  readonly isLeftOut: boolean;
  /**
   * Since it started it served as primary, or was confirmed as a member, by an append or a heartbeat of the term
   * that was current then, from a primary that was serving. Only such a node knows that nobody decided without it.
   */
  readonly isConfirmed: boolean;
}

/** What the operator vouches for, or puts up with. */
export interface PromotionTerms {
  /** The members that do not answer are stopped, and stay so until the promotion is done. */
  readonly othersAreDown: boolean;
  /** Go on although something may be lost. */
  readonly acceptDataLoss: boolean;
}

export interface PromotionGrant {
  readonly kind: 'granted';
  /** Whose log the new primary takes over before it appends anything. */
  readonly longest: NodeId;
  /** The members from here on; undefined when they stay as they are. */
  readonly members: readonly NodeId[] | undefined;
  /** What the first entry of the new term needs before it is committed. */
  readonly opening: readonly Requirement[];
  /** Something that was acknowledged may be missing. */
  readonly isLossy: boolean;
}

export type PromotionDecision =
  PromotionGrant | { readonly kind: 'refused'; readonly reason: PromotionRefusal };

export type PromotionRefusal =
  /** Too few answered, under this membership. */
  | { readonly why: 'too few answers'; readonly membership: Membership; readonly share: Requirement['share'] }
  /** Half would be enough, and this node was not confirmed since it started. */
  | { readonly why: 'unconfirmed'; readonly node: NodeId }
  /** With `--acks 0` only the last primary knows what was acknowledged, and it did not answer. */
  | { readonly why: 'primary missing'; readonly node: NodeId | undefined }
  | { readonly why: 'not a member' };

/**
 * Whether a node may become primary on these answers, its own among them.
 *
 * Without `othersAreDown` it needs a majority under every binding membership, so that no other node can get one. With it,
 * the operator vouches that the members who did not answer are stopped and stay so until the change is made. They are left
 * out then, and half is enough, provided that everybody who answers was confirmed since it started: a half that has just
 * come up cannot know what the other half decided before it stopped.
 */
export function decidePromotion(
  candidate: NodeId,
  answers: readonly PromotionAnswer[],
  terms: PromotionTerms,
): PromotionDecision {
  const safe = decideSafely(candidate, answers, terms.othersAreDown);
  if (safe.kind === 'granted' || !terms.acceptDataLoss) return safe;
  const members = answers.map((answer) => answer.node);
  return {
    kind: 'granted',
    longest: longestOf(answers, candidate),
    members,
    opening: [{ share: 'majority', members }],
    isLossy: true,
  };
}

function decideSafely(
  candidate: NodeId,
  answers: readonly PromotionAnswer[],
  othersAreDown: boolean,
): PromotionDecision {
  const counted = answers.filter((answer) => !answer.isLeftOut);
  // Who was left out agrees to nothing, and still may be the only one to know that the membership without it is committed.
  const known = answers.map(({ isLeftOut, memberships }) =>
    isLeftOut ? { ...memberships, open: [] } : memberships,
  );
  const binding = bindingMemberships(known);
  const newest = binding.at(-1);
  const agreeing = new Set(counted.map((answer) => answer.node));
  if (!agreeing.has(candidate) || newest?.members.includes(candidate) !== true) {
    return refused({ why: 'not a member' });
  }
  const majorities = binding.map(({ members }) => ({ share: 'majority', members }) as const);
  const longest = longestOf(counted, candidate);
  const isMajority = areMet(majorities, agreeing);
  const members = newest.members.filter((member) => agreeing.has(member));
  const isWhole = members.length === newest.members.length;
  const missing = primaryThatMustAnswer(counted, binding, agreeing);
  if (isMajority && (!othersAreDown || isWhole)) {
    if (missing !== undefined) return refused(missing);
    if (newest.acks === 'all' && !isWhole)
      return refused({ why: 'too few answers', membership: newest, share: 'all' });
    return {
      kind: 'granted',
      longest,
      members: undefined,
      opening: [...majorities, ...allOf(newest, newest.members)],
      isLossy: false,
    };
  }
  if (!othersAreDown) return tooFew(binding, agreeing, 'majority');
  const halves = binding.map((membership) => ({ share: 'half', members: membership.members }) as const);
  if (!areMet(halves, agreeing)) return tooFew(binding, agreeing, 'half');
  if (missing !== undefined) return refused(missing);
  const unconfirmed = counted.find((answer) => !answer.isConfirmed);
  if (!isMajority && unconfirmed !== undefined)
    return refused({ why: 'unconfirmed', node: unconfirmed.node });
  const opening = [{ share: 'majority', members } as const, ...halves, ...allOf(newest, members)];
  return { kind: 'granted', longest, members, opening, isLossy: false };
}

/** With `--acks 0` nobody but the last primary is sure to have what it acknowledged. */
function primaryThatMustAnswer(
  answers: readonly PromotionAnswer[],
  binding: readonly Membership[],
  agreeing: ReadonlySet<NodeId>,
): PromotionRefusal | undefined {
  const isAlone = binding.every(({ members }) => members.length === 1);
  if (isAlone || !binding.some(({ acks }) => acks === '0')) return undefined;
  const primary = sortedByLog(answers).at(-1)?.lastPrimary;
  if (primary !== undefined && agreeing.has(primary)) return undefined;
  return { why: 'primary missing', node: primary };
}

/** With `--acks all` the opening of a term needs all of the members, too. */
function allOf(membership: Membership, members: readonly NodeId[]): Requirement[] {
  return membership.acks === 'all' ? [{ share: 'all', members }] : [];
}

function sortedByLog(answers: readonly PromotionAnswer[]): PromotionAnswer[] {
  return [...answers].sort((a, b) => comparePositions(a.last, b.last));
}

/** The candidate itself where nobody has more. */
function longestOf(answers: readonly PromotionAnswer[], candidate: NodeId): NodeId {
  const longest = sortedByLog(answers).at(-1);
  const own = answers.find(({ node }) => node === candidate);
  if (longest === undefined || (own !== undefined && comparePositions(own.last, longest.last) === 0))
    return candidate;
  return longest.node;
}

function tooFew(
  binding: readonly Membership[],
  agreeing: ReadonlySet<NodeId>,
  share: 'majority' | 'half',
): PromotionDecision {
  const membership = binding.find(({ members }) => !areMet([{ share, members }], agreeing));
  if (membership === undefined) return refused({ why: 'not a member' });
  return refused({ why: 'too few answers', membership, share });
}

function refused(reason: PromotionRefusal): PromotionDecision {
  return { kind: 'refused', reason };
}
