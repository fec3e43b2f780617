import type { ClusterId, Index, NodeId, Position } from '../engine.js';
import { EMPTY_LOG, endOf } from '../log/frame.js';
import type { Frame, LogEnd } from '../log/frame.js';
import type { LogCheck, SegmentCheck } from './check-report.js';
import type { Damages } from './damages.js';
import { readWhole } from './files.js';
import type { Files } from './files.js';
import { HistoryReading } from './log-history.js';
import { overriddenFrom } from './log-segment.js';
import type { LogSegment } from './log-segment.js';
import {
  LogReading,
  checkFollows,
  checkOwner,
  checkSize,
  judgeEnd,
  readSegmentHead,
  sequencesOf,
  startOf,
} from './recovery.js';
import type { RecoveryRequest, TornEnd } from './recovery.js';
import { segmentName } from './segment.js';
import path from 'node:path';

export interface LogCheckRequest {
  readonly files: Files;
  readonly directory: string;
  readonly names: readonly string[];
  /** Whose log it is; undefined when that cannot be read. */
  readonly owner: { readonly cluster: ClusterId; readonly node: NodeId } | undefined;
  readonly provenIndex: Index;
  readonly provenBy: string;
  readonly cleanEnd: LogEnd | undefined;
}

/** A name of a segment, and the segment unless its header does not hold. */
interface Head {
  readonly file: string;
  readonly segment: LogSegment | undefined;
}

/**
 * Looks at every segment, whatever is wrong with others. It uses the rules of recovery, one segment at a time: where one
 * does not hold, the next is read as if it began a log.
 */
export async function checkLog(request: LogCheckRequest, damages: Damages): Promise<LogCheck> {
  const heads = await readHeads(request, damages);
  const survey = new Survey(request, damages, heads);
  for (const head of heads) await survey.add(head);
  return survey.result;
}

async function readHeads(request: LogCheckRequest, damages: Damages): Promise<Head[]> {
  const heads: Head[] = [];
  let before: number | undefined;
  for (const sequence of sequencesOf(request.names)) {
    const file = path.join(request.directory, segmentName(sequence));
    const read = (after: number | undefined): Promise<LogSegment> =>
      readSegmentHead(request, sequence, after);
    await damages.during(file, () => read(before).then(() => undefined));
    const segment = await read(undefined).catch(() => undefined);
    if (segment !== undefined && request.owner !== undefined) {
      const { owner } = request;
      await damages.during(file, () => checkOwner(segment, owner));
    }
    heads.push({ file, segment });
    before = sequence;
  }
  return heads;
}

/** What was read of one segment. */
class Tally {
  frames = 0;
  entries = 0;
  first: Position | undefined;
  last: Position | undefined;

  add(frame: Frame): void {
    const { term, index } = endOf(frame);
    this.first ??= { term, index: frame.firstIndex };
    this.last = { term, index };
    this.frames++;
    this.entries += frame.count;
  }
}

class Survey {
  readonly #request: LogCheckRequest;
  readonly #damages: Damages;
  readonly #overridden: ReadonlyMap<LogSegment, number>;
  readonly #lastLive: LogSegment | undefined;
  readonly #segments: (SegmentCheck & { readonly state: 'live' | 'dead' })[] = [];
  /** Undefined where what comes next cannot be held against what came before. */
  #reading: LogReading | undefined;
  #before: LogSegment | undefined;
  #tally = new Tally();
  #torn: TornEnd | undefined;
  #end: Position | undefined;

  constructor(request: LogCheckRequest, damages: Damages, heads: readonly Head[]) {
    this.#request = request;
    this.#damages = damages;
    const segments = heads.flatMap(({ segment }) => segment ?? []);
    const from = overriddenFrom(segments);
    this.#overridden = new Map(segments.map((segment, at) => [segment, from[at] ?? Infinity]));
    const isLast = heads.at(-1)?.segment !== undefined;
    // Behind a segment whose header does not hold there may be more of the log than can be seen.
    this.#lastLive = isLast ? segments.findLast((segment) => !this.#isDead(segment)) : undefined;
  }

  get result(): LogCheck {
    const torn = this.#torn && {
      file: this.#torn.file,
      offset: this.#torn.offset,
      bytes: this.#torn.bytes.length,
    };
    // What is wrong with a segment may show only where the next one begins.
    const segments = this.#segments.map((segment) =>
      this.#damages.concerns(segment.file) ? { ...segment, state: 'damaged' as const } : segment,
    );
    return { segments, end: this.#end, torn };
  }

  async add({ file, segment }: Head): Promise<void> {
    this.#tally = new Tally();
    if (segment === undefined) {
      this.#reading = undefined;
      this.#note(file, 'live', 0, 0);
      return;
    }
    const { files } = this.#request;
    await this.#damages.during(file, () => checkSize(files, segment));
    const isDead = this.#isDead(segment);
    if (!isDead) await this.#read(segment);
    this.#note(file, isDead ? 'dead' : 'live', isDead ? 0 : segment.end, segment.header.size);
  }

  #isDead(segment: LogSegment): boolean {
    return segment.header.firstIndex >= (this.#overridden.get(segment) ?? Infinity);
  }

  async #read(segment: LogSegment): Promise<void> {
    const { files } = this.#request;
    const goesOn = this.#reading?.end;
    if (goesOn !== undefined) {
      await this.#damages.during(segment.file, () => checkFollows(segment, goesOn, this.#before));
    }
    const tally = this.#tally;
    const reading = new LogReading(this.#recovery(tally), startOf(segment));
    const isWhole = await this.#damages.during(segment.file, async () => {
      const bytes = await readWhole(files, segment.file);
      await reading.readSegment(segment, bytes, this.#overridden.get(segment) ?? Infinity);
      if (segment === this.#lastLive)
        this.#torn = judgeEnd(this.#recovery(tally), segment, bytes, reading.end);
    });
    this.#reading = isWhole ? reading : undefined;
    this.#before = segment;
    this.#end = { term: reading.end.term, index: reading.end.index };
  }

  /** Nothing is replayed: recovery's own reading does that, with the snapshot that it begins from. */
  #recovery(tally: Tally): RecoveryRequest {
    const { files, directory, owner, provenIndex, provenBy, cleanEnd } = this.#request;
    const history = new HistoryReading();
    return {
      files,
      directory,
      cluster: owner?.cluster ?? ('' as ClusterId),
      node: owner?.node ?? ('' as NodeId),
      base: EMPTY_LOG,
      provenIndex,
      provenBy,
      cleanEnd,
      visit: (frame) => {
        history.visit(frame);
        tally.add(frame);
      },
      isCommitted: () => false,
      replay: () => undefined,
    };
  }

  #note(file: string, state: 'live' | 'dead', usedBytes: number, bytes: number): void {
    const { first, last, frames, entries } = this.#tally;
    this.#segments.push({ file, state, first, last, frames, entries, usedBytes, bytes });
  }
}
