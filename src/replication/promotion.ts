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
  /** It was told that it is no member any more. It counts nowhere until it is added again. */
  readonly isLeftOut: boolean;
  /**
   * Since it started it served as primary, or was confirmed as a member, by an append or a heartbeat of the term
   * that was current then, from a primary that was serving. Only such a node knows that nobody decided without it.
   */
  readonly isConfirmed: boolean;
}

export type PromotionDecision =
  | {
      readonly kind: 'granted';
      /** Whose log the new primary takes over before it appends anything. */
      readonly longest: NodeId;
      /** The members from here on; undefined when they stay as they are. */
      readonly members: readonly NodeId[] | undefined;
      /** What the first entry of the new term needs before it is committed. */
      readonly opening: readonly Requirement[];
    }
  | { readonly kind: 'refused'; readonly reason: PromotionRefusal };

export type PromotionRefusal =
  /** Too few answered, under this membership. */
  | { readonly why: 'too few answers'; readonly membership: Membership; readonly answered: number }
  /** Half would be enough, and this node was not confirmed since it started. */
  | { readonly why: 'unconfirmed'; readonly node: NodeId }
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
  othersAreDown: boolean,
): PromotionDecision {
  const counted = answers.filter((answer) => !answer.isLeftOut);
  const binding = bindingMemberships(counted.map((answer) => answer.memberships));
  const newest = binding.at(-1);
  const agreeing = new Set(counted.map((answer) => answer.node));
  if (!agreeing.has(candidate) || newest?.members.includes(candidate) !== true) {
    return refused({ why: 'not a member' });
  }
  const majorities = binding.map(({ members }) => ({ share: 'majority', members }) as const);
  const longest = longestOf(counted) ?? candidate;
  const isMajority = areMet(majorities, agreeing);
  const members = newest.members.filter((member) => agreeing.has(member));
  if (isMajority && (!othersAreDown || members.length === newest.members.length)) {
    return { kind: 'granted', longest, members: undefined, opening: majorities };
  }
  if (!othersAreDown) return tooFew(binding, agreeing, 'majority');
  const halves = binding.map((membership) => ({ share: 'half', members: membership.members }) as const);
  if (!areMet(halves, agreeing)) return tooFew(binding, agreeing, 'half');
  const unconfirmed = counted.find((answer) => !answer.isConfirmed);
  if (!isMajority && unconfirmed !== undefined)
    return refused({ why: 'unconfirmed', node: unconfirmed.node });
  return { kind: 'granted', longest, members, opening: [{ share: 'majority', members }, ...halves] };
}

function longestOf(answers: readonly PromotionAnswer[]): NodeId | undefined {
  return [...answers].sort((a, b) => comparePositions(a.last, b.last)).at(-1)?.node;
}

function tooFew(
  binding: readonly Membership[],
  agreeing: ReadonlySet<NodeId>,
  share: 'majority' | 'half',
): PromotionDecision {
  const short = binding.find(({ members }) => !areMet([{ share, members }], agreeing));
  if (short === undefined) return refused({ why: 'not a member' });
  const answered = short.members.filter((member) => agreeing.has(member)).length;
  return refused({ why: 'too few answers', membership: short, answered });
}

function refused(reason: PromotionRefusal): PromotionDecision {
  return { kind: 'refused', reason };
}
