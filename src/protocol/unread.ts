/** What was received and is not read: `bytes` from `at` on. Whoever reads moves `at`. */
export interface Unread {
  bytes: Buffer;
  at: number;
}
