/**
 * A place says where an entry lies, in 32 bits:
 *
 *     from 0             in an arena: its page times the units of a page, and the unit in it
 *     from LARGE_PLACES  in memory of its own: its number
 *     from FREE_PLACES   nowhere: the slot is free
 */

/** Entries in an arena begin at a multiple of this. 24 GiB of them can be told apart; what is more gets memory of its own. */
export const UNIT_BYTES = 8;
export const LARGE_PLACES = 0xc000_0000;
export const FREE_PLACES = 0xd000_0000;
