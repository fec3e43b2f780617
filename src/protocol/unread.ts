/** What was received and is not read: `bytes` from `at` on. Whoever reads moves `at`. */
export interface Unread {
  bytes: Buffer;
  at: number;
  /** The bytes are somebody else's, who uses their memory for the next chunk. */
  isLent: boolean;
}
