import type { Log, NodeStates } from '../../src/node/ports.js';
import type { Files } from '../../src/storage/files.js';
import type { Sessions } from '../../src/store/sessions.js';
import { aroundPuts } from './around-puts.js';
import type { Planted } from './planted.js';

/** Parts that work wrongly, which the simulator must find. */

/** While it is on, an append resolves before its bytes are durable. What fails afterwards is never told. */
export function appendEarly(log: Log, isOn: () => boolean): Log {
  let last: Promise<void> = Promise.resolve();
  let promised = log.end;
  return {
    get end() {
      return promised;
    },
    get appendedBytes() {
      return log.appendedBytes;
    },
    hasRoomFor: (frameBytes, behind) => log.hasRoomFor(frameBytes, behind),
    makeReady: () => last.then(() => log.makeReady()),
    reserve: (frameBytes) => last.then(() => log.reserve(frameBytes)),
    append(frames) {
      const frame = frames.at(-1);
      if (frame === undefined) return Promise.resolve();
      const { term, checksum } = frame;
      promised = { term, checksum, index: (frame.firstIndex + frame.count - 1) as typeof promised.index };
      // Its own copy: the caller takes an appended frame to be free for other use.
      const copies = frames.map((each) => ({ ...each, bytes: Buffer.from(each.bytes) }));
      last = last.then(() => log.append(copies));
      last.catch(() => undefined);
      return isOn() ? Promise.resolve() : last;
    },
    appendNow: () => false,
    read: (after, bytesMax) => last.then(() => log.read(after, bytesMax)),
    truncate: (end) => last.then(() => log.truncate(end)).finally(() => (promised = log.end)),
    sync: () => last.then(() => log.sync()),
    removeUpTo: (index) => last.then(() => log.removeUpTo(index)),
    giveUpSpares: () => log.giveUpSpares(),
  };
}

/** A node whose log is behind what it believes claims no more than what is there: storage would stop it otherwise. */
export function claimWhatIsThere(states: NodeStates, log: () => Log | undefined): NodeStates {
  return {
    saveState(state) {
      const there = log()?.end.index ?? state.commit;
      const atMost = (index: typeof there): typeof there => (index < there ? index : there);
      const logIndex = state.logIndex === undefined ? undefined : atMost(state.logIndex);
      return states.saveState({ ...state, logIndex, commit: atMost(state.commit) });
    },
  };
}

/** Saves everything but the term and the vote, which stay as they were first saved. */
export function forgetVote(states: NodeStates): NodeStates {
  let kept: Pick<Parameters<NodeStates['saveState']>[0], 'term' | 'vote'> | undefined;
  return {
    saveState(state) {
      kept ??= { term: state.term, vote: state.vote };
      return states.saveState({ ...state, ...kept });
    },
  };
}

/** One node applies some entries wrongly: what is put is lost, or becomes an empty value. */
export function misapply(host: string, isLost: boolean): NonNullable<Planted['table']> {
  return (table, address) => {
    if (!address.startsWith(host)) return;
    let puts = 0;
    aroundPuts(table, (value, put) => {
      if (++puts % 5 !== 0) put(value);
      else if (!isLost) put({ ...value, end: value.start });
    });
  };
}

export function skipDirectorySync(files: Files): Files {
  return { ...files, syncDirectory: () => Promise.resolve() };
}

/** A write of a session that was answered already is applied again. */
export function applyAgain(sessions: Sessions): void {
  const begin = sessions.begin.bind(sessions);
  sessions.begin = (id, number, lowest) => {
    const verdict = begin(id, number, lowest);
    return typeof verdict === 'number' ? 'new' : verdict;
  };
}

/** Sessions do not come back with a snapshot. */
export function forgetSessions(sessions: Sessions): void {
  sessions.restore = () => undefined;
}
