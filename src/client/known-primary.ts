import type { ServerNode } from './server-node.js';

/** Which node is known to be the primary, and how well that is known. */
export class KnownPrimary {
  #node: ServerNode | undefined;
  /** As people count it; 0 when it is not known. */
  #term = 0;
  /** Which node took a write last, and over which connection. */
  #proven: { readonly node: ServerNode; readonly incarnation: number } | undefined;

  get node(): ServerNode | undefined {
    return this.#node;
  }

  /** Whether a node that serves in this term is a later primary than the one that is known. */
  isBefore(term: number): boolean {
    return this.#node === undefined || term > this.#term;
  }

  set(node: ServerNode | undefined, term: number): void {
    this.#node = node;
    this.#term = term;
  }

  /** The node took a write. */
  prove(node: ServerNode): void {
    this.#proven = { node, incarnation: node.incarnation };
  }

  /** It refused one for a reason of its office. */
  disprove(): void {
    this.#proven = undefined;
  }

  /** Whether the process that answers there took a write, and has refused none since. */
  isProven(node: ServerNode): boolean {
    return this.#proven?.node === node && this.#proven.incarnation === node.incarnation;
  }
}
