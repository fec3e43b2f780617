/**
 * The JSON file: the map at one position, one entry a line.
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
 *     "count":…,"checksum":"…"}
 *
 * `log` is the checksum of the log's frame that ends at the position. `checksum` is the CRC-32, in eight
 * hexadecimal digits, of every byte before its own name. A pair whose key or value is not valid UTF-8 stands under `binary`.
 */
import type { ClusterId, NodeId } from '../engine.js';
import type { LogEnd } from '../log/frame.js';

export const SNAPSHOT_FORMAT = 'kv-snapshot';
export const SNAPSHOT_VERSION = 1;
export const DATA_OPENS = '"data":{';
export const DATA_CLOSES = '},';
export const BINARY_OPENS = '"binary":[';
export const BINARY_CLOSES = '],';

export interface SnapshotHead {
  readonly cluster: ClusterId;
  readonly node: NodeId;
  readonly end: LogEnd;
}

/** The first line with its line feed. */
export function headLine(head: SnapshotHead): string {
  const fields = {
    format: SNAPSHOT_FORMAT,
    version: SNAPSHOT_VERSION,
    term: head.end.term,
    index: head.end.index,
    log: head.end.checksum,
    cluster: head.cluster,
    node: head.node,
  };
  return `${JSON.stringify(fields).slice(0, -1)},\n`;
}

/** The part of the last line that the checksum covers. */
export function countText(count: number): string {
  return `"count":${String(count)},`;
}

/** The rest of the last line. */
export function checksumText(checksum: number): string {
  return `"checksum":"${checksum.toString(16).padStart(8, '0')}"}\n`;
}
