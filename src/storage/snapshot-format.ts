/**
 * The JSON file: the map at one position, one entry a line, and the sessions of clients.
 *
 *     {"format":"kv-snapshot","version":1,"term":…,"index":…,"log":…,"cluster":"…","node":"…",
 *     "data":{
 *     "key":"value",
 *     …
 *     },
 *     "binary":[
 *     ["key in base64","value in base64"],
 *     …
 *     ],
 *     "sessions":[
 *     {"id":…,"lowest":…,"answers":[1,null,0]},
 *     …
 *     ],
 *     "count":…,"checksum":"…"}
 *
 * `log` is the checksum of the log's frame that ends at the position. `checksum` is the CRC-32, in eight
 * hexadecimal digits, of every byte before its own name. A pair whose key or value is not valid UTF-8 stands under `binary`.
 *
 * `sessions` is there when there are some, and the version is 2 then: a program from before them must not read the file without them.
 * The answers are those to the write `lowest`, the one behind it and so on; `null` stands for one that was not seen. `count` is of
 * entries alone.
 */
import { SESSION_NUMBERS_MAX } from '../engine.js';
import type { ClusterId, NodeId } from '../engine.js';
import type { LogEnd } from '../log/frame.js';

export const SNAPSHOT_FORMAT = 'kv-snapshot';
/** Without sessions, and with them. */
export const SNAPSHOT_VERSION = 1;
export const SESSIONS_VERSION = 2;
export const DATA_OPENS = '"data":{';
export const DATA_CLOSES = '},';
export const BINARY_OPENS = '"binary":[';
export const BINARY_CLOSES = '],';
export const SESSIONS_OPENS = '"sessions":[';
export const SESSIONS_CLOSES = '],';
/** No line of a session is longer: 1,024 answers of up to eleven letters each. */
export const SESSION_LINE_BYTES_MAX = 16 * 1024;

export interface SnapshotHead {
  readonly cluster: ClusterId;
  readonly node: NodeId;
  readonly end: LogEnd;
  readonly hasSessions: boolean;
}

/** The first line with its line feed. */
export function headLine(head: SnapshotHead): string {
  const fields = {
    format: SNAPSHOT_FORMAT,
    version: head.hasSessions ? SESSIONS_VERSION : SNAPSHOT_VERSION,
    term: head.end.term,
    index: head.end.index,
    log: head.end.checksum,
    cluster: head.cluster,
    node: head.node,
  };
  return `${JSON.stringify(fields).slice(0, -1)},\n`;
}

/** A session as an item of its list, with the comma and the line feed in front of it. */
export function sessionText(id: number, lowest: number, answers: Int32Array): string {
  const shown = Array.from(answers, (answer) => (answer < 0 ? 'null' : String(answer)));
  return `,\n{"id":${String(id)},"lowest":${String(lowest)},"answers":[${shown.join(',')}]}`;
}

const SESSION_LINE = /^\{"id":\d+,"lowest":\d+,"answers":\[(?:(?:\d+|null)(?:,(?:\d+|null))*)?\]\},?\n$/;
const ANSWER_MAX = 2 ** 31 - 1;

/** What the line of a session says; undefined when it is malformed. */
export function readSessionLine(
  line: string,
): { readonly id: number; readonly lowest: number; readonly answers: Int32Array } | undefined {
  if (!SESSION_LINE.test(line)) return undefined;
  const text = line.endsWith(',\n') ? line.slice(0, -2) : line;
  const { id, lowest, answers } = JSON.parse(text) as {
    readonly id: number;
    readonly lowest: number;
    readonly answers: readonly (number | null)[];
  };
  const areExact =
    id >= 1 && lowest >= 1 && Number.isSafeInteger(id) && Number.isSafeInteger(lowest + answers.length);
  const isPossible =
    answers.length <= SESSION_NUMBERS_MAX && answers.every((answer) => (answer ?? 0) <= ANSWER_MAX);
  if (!areExact || !isPossible) return undefined;
  return { id, lowest, answers: Int32Array.from(answers, (answer) => answer ?? -1) };
}

/** The part of the last line that the checksum covers. */
export function countText(count: number): string {
  return `"count":${String(count)},`;
}

/** The rest of the last line. */
export function checksumText(checksum: number): string {
  return `"checksum":"${checksum.toString(16).padStart(8, '0')}"}\n`;
}
