/** A snapshot that does not hold, and the byte where that was noticed. */
export class SnapshotDamage extends Error {
  override readonly name = 'SnapshotDamage';

  constructor(
    readonly file: string,
    readonly offset: number,
    readonly what: string,
  ) {
    super(`${file} is damaged at byte ${String(offset)}: ${what}`);
  }
}
