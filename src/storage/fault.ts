/**
 * Why a data directory cannot be used. The node refuses to start on it; nothing was changed.
 */
export class StorageFault extends Error {
  override readonly name = 'StorageFault';

  constructor(
    readonly kind: StorageFaultKind,
    readonly file: string,
    message: string,
    /** Where in the file, in bytes. */
    readonly offset?: number,
    /** The message without its advice, to stand inside another one. */
    readonly brief = message,
  ) {
    super(message);
  }
}

export type StorageFaultKind =
  /** Bytes are missing or not what was written. */
  | 'damaged'
  /** Another server has it open. */
  | 'in use'
  /** It belongs to something else, or was written by a newer version. */
  | 'foreign'
  /** The file system refused. */
  | 'unreadable';

export function damaged(file: string, what: string, offset?: number): StorageFault {
  const where = offset === undefined ? '' : ` at byte ${String(offset)}`;
  const advice = 'Nothing was changed; restore the data from a backup, or look at docs/operating.md';
  const brief = `${file} is damaged${where}: ${what}`;
  return new StorageFault('damaged', file, `${brief}. ${advice}`, offset, brief);
}
