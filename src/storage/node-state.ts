import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { ClusterId, Index, NodeId, Role, Term } from '../engine.js';
import type { PlacedConfiguration } from '../log/control.js';
import type { LogEnd } from '../log/frame.js';
import { StorageFault, damaged } from './fault.js';
import type { Files } from './files.js';
import { readWhole } from './files.js';

/** What a node must not forget. It is on disk before anything that follows from it is done or said. */
export interface NodeState {
  /** Undefined for a new backup that was not added to a cluster yet; its log is not begun then. */
  readonly cluster: ClusterId | undefined;
  readonly node: NodeId;
  /** `primary`: it has held the office in `term`, and asks for its place when it starts. */
  readonly role: Role;
  /** The highest term that this node has taken, granted or followed. */
  readonly term: Term;
  /** Whom it granted `term`. */
  readonly vote: NodeId | undefined;
  /** The last one that this node knows to be committed. Undefined before there is any. */
  readonly configuration: PlacedConfiguration | undefined;
  /** It was told that it takes part no more. It counts nowhere until it is added again. */
  readonly isLeftOut: boolean;
  /** A new backup lets only the node at this address add it. */
  readonly primaryAddress: string | undefined;
  /** The log is known to be committed at least up to here. */
  readonly commit: Index;
  /** What the first content held when the node was made, or was replaced: its log begins behind it. 0 for an empty one. */
  readonly originIndex: Index;
  /** The log holds at least the entries up to here. Undefined until there is a log. */
  readonly logIndex: Index | undefined;
  /** Where the log ended when the node stopped by itself; undefined while it runs and after a crash. */
  readonly cleanEnd: LogEnd | undefined;
}

export const NODE_STATE_NAME = 'node.json';
const FORMAT = 'kv-node';
const VERSION = 1;

/** Undefined when there is no such file. */
export async function loadNodeState(files: Files, directory: string): Promise<NodeState | undefined> {
  const file = path.join(directory, NODE_STATE_NAME);
  if (!(await files.exists(file))) return undefined;
  const bytes = await readWhole(files, file);
  const text = bytes.toString();
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch {
    throw damaged(file, 'it is not JSON', bytes.length);
  }
  if (!isRecord(fields) || fields.format !== FORMAT) throw damaged(file, 'it is not a node state', 0);
  if (fields.version !== VERSION) {
    const message = `${file} has version ${String(fields.version)}, and this program reads ${String(VERSION)}: use the newer program`;
    throw new StorageFault('foreign', file, message);
  }
  const { checksum, ...content } = fields;
  // The exact text counts, not only its meaning: whatever is not as it was written was changed by something else.
  if (checksum !== checksumOf(content) || text !== encode(content)) {
    throw damaged(file, 'its checksum does not match its content', 0);
  }
  return decode(content, file);
}

/** Replaces the node state, and returns once it is durable. */
export async function saveNodeState(files: Files, directory: string, state: NodeState): Promise<void> {
  const content = {
    format: FORMAT,
    version: VERSION,
    cluster: state.cluster,
    node: state.node,
    role: state.role,
    term: state.term,
    originIndex: state.originIndex,
    logIndex: state.logIndex ?? null,
    cleanEnd: state.cleanEnd ?? null,
  };
  await files.replace(path.join(directory, NODE_STATE_NAME), Buffer.from(encode(content)));
  await files.syncDirectory(directory);
}

function encode(content: Record<string, unknown>): string {
  return `${JSON.stringify({ ...content, checksum: checksumOf(content) }, undefined, 2)}\n`;
}

function checksumOf(content: Record<string, unknown>): string {
  return crc32(JSON.stringify(content)).toString(16).padStart(8, '0');
}

function decode(content: Record<string, unknown>, file: string): NodeState {
  const { cluster, node, role, term, originIndex, logIndex, cleanEnd } = content;
  const isWhole =
    typeof cluster === 'string' &&
    typeof node === 'string' &&
    (role === 'primary' || role === 'backup') &&
    typeof term === 'number' &&
    typeof originIndex === 'number' &&
    (logIndex === null || typeof logIndex === 'number') &&
    (cleanEnd === null || isRecord(cleanEnd));
  if (!isWhole) throw damaged(file, 'a field is missing', 0);
  return {
    cluster: cluster as ClusterId,
    node: node as NodeId,
    role,
    term: term as Term,
    originIndex: originIndex as Index,
    logIndex: (logIndex as Index | null) ?? undefined,
    cleanEnd: (cleanEnd as LogEnd | null) ?? undefined,
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
