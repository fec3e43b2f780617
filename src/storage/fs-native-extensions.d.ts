declare module 'fs-native-extensions' {
  /**
   * Takes a lock on the whole file, held until the descriptor is closed; false when another one is in its way. It is
   * exclusive unless it is shared, which needs no right to write.
   */
  export function tryLock(fd: number, options?: { readonly shared?: boolean }): boolean;
  export function unlock(fd: number): void;
}
