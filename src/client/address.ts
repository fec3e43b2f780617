/** Addresses as the package shows them: nodes and clients read and write them in the same way. */
export { DEFAULT_ADDRESS, parseAddress, showAddress } from '../protocol/address.js';
export type { Address, InvalidAddress } from '../protocol/address.js';
