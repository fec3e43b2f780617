/** How the checks say what planted bugs lead to. */

export const LOST =
  /acknowledged .* which stands in no log|serves in term .* without entry|truncates entry .* which is committed|has entry .* committed, and it was/;
export const UNREADABLE = /term of .* went back|is damaged/;
export const STALE = /is not linearizable/;
export const TWICE = /applied the write .* twice/;
export const TOO_EARLY = /changes who takes part before the first entry/;
export const FORCED_OUT = /was forced out/;
