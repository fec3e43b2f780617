declare module 'fs-native-extensions' {
  /** Takes an exclusive lock on the whole file, held until the descriptor is closed; false when another holds one. */
  export function tryLock(fd: number): boolean;
}
