import type { Log, Replacements } from '../../src/node/ports.js';
import type { LogWatcher } from './sim-node.js';

/** A log that tells what is asked of it, before it is done. */
export function watchedLog(log: Log, watcher: LogWatcher): Log {
  return {
    get end() {
      return log.end;
    },
    get appendedBytes() {
      return log.appendedBytes;
    },
    hasRoomFor: (frameBytes, behind) => log.hasRoomFor(frameBytes, behind),
    makeReady: () => log.makeReady(),
    reserve: (frameBytes) => log.reserve(frameBytes),
    async append(frames) {
      watcher.appending(frames);
      try {
        await log.append(frames);
      } catch (error) {
        if (error instanceof Error && error.name === 'DiskFull') watcher.notAppended(frames);
        throw error;
      }
    },
    appendNow(frames) {
      watcher.appending(frames);
      const isAppended = log.appendNow(frames);
      if (!isAppended) watcher.notAppended(frames);
      return isAppended;
    },
    read: (after, bytesMax) => log.read(after, bytesMax),
    async truncate(end) {
      watcher.truncating(end);
      const name = await log.truncate(end);
      watcher.truncated(end);
      return name;
    },
    sync: () => log.sync(),
    removeUpTo: (index) => log.removeUpTo(index),
    giveUpSpares: () => log.giveUpSpares(),
  };
}

/** Replacements that tell when everything is replaced. */
export function watchedReplacements(replacements: Replacements, watcher: LogWatcher): Replacements {
  return {
    receive: () => replacements.receive(),
    async replace(arrival, end, state) {
      await replacements.replace(arrival, end, state);
      watcher.replacing(end);
    },
    load: (target) => replacements.load(target),
    adopt: (cluster, state) => replacements.adopt(cluster, state),
  };
}
