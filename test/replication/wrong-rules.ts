import { RULES } from '../../src/replication/rules.js';
import type { ReplicationRules } from '../../src/replication/rules.js';

/** Wrong rules, which the simulator and the search of the core must find. */

/** Entries of earlier terms are counted by themselves, and not only with the opening of the current one. */
export const countOldTerms: ReplicationRules['committable'] = (open, durable) =>
  RULES.committable(
    open.map((range) => ({ ...range, isWhole: false })),
    durable,
  );

/** Half of the members are taken for enough also where they cannot know what was decided without them. */
export const takeAnyHalf: ReplicationRules['decidePromotion'] = (candidate, answers, terms) => {
  const confirmed = answers.map((answer) => ({ ...answer, isConfirmed: true }));
  return RULES.decidePromotion(candidate, confirmed, terms);
};

/** Of all memberships that may last, only the newest one is asked. */
export const askNewest: ReplicationRules['decidePromotion'] = (candidate, answers, terms) => {
  const narrowed = answers.map((answer) => {
    const { committed, open } = answer.memberships;
    return { ...answer, memberships: { committed: open.at(-1) ?? committed, open: [] } };
  });
  return RULES.decidePromotion(candidate, narrowed, terms);
};

/** What was appended before a change of the membership is counted as if it came behind it. */
export const countUnderLater: ReplicationRules['committable'] = (open, durable) => {
  const later = open.at(-1)?.needs.at(-1);
  return RULES.committable(
    open.map((range) => (range.isWhole || later === undefined ? range : { ...range, needs: [later] })),
    durable,
  );
};

/** Whoever is elected keeps to its own log. */
export const takeOwnLog: ReplicationRules['decidePromotion'] = (candidate, answers, terms) => {
  const decision = RULES.decidePromotion(candidate, answers, terms);
  return decision.kind === 'granted' ? { ...decision, longest: candidate } : decision;
};
