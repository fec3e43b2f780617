import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { ClusterId, Index, NodeId, Position, Role, Term } from '../engine.js';
import type { PlacedConfiguration } from '../log/control.js';
import type { LogEnd } from '../log/frame.js';
import { asDiskFull } from './blank-segments.js';
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
  /** The configuration that left it out, once it was told. It counts nowhere until a newer one names it again. */
  readonly leftOutAt: Position | undefined;
  /** Who opened the last term of its log. */
  readonly lastPrimary: NodeId | undefined;
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
  /** Why it must not serve: its state is known to be wrong, and what the files hold is that state. */
  readonly divergence?: string | undefined;
  /** An operator accepted once that data is lost, at or before the end of this log. The entry that tells so may be gone from it. */
  readonly lossAccepted?: boolean | undefined;
}

/** A node state as it lies on disk. */
export interface StoredNodeState extends NodeState {
  /**
   * Set while everything that the node holds is replaced: `arriving.json` is whole then, is the map at this position, and
   * is what the node holds from now on. Whoever reads this finishes the work first.
   */
  readonly replacing: LogEnd | undefined;
}

export const NODE_STATE_NAME = 'node.json';
const FORMAT = 'kv-node';
const VERSION = 1;

/** Undefined when there is no such file. */
export async function loadNodeState(files: Files, directory: string): Promise<StoredNodeState | undefined> {
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

/**
 * Replaces the node state, and returns once it is durable.
 *
 * @throws DiskFull when nothing was changed. Any other error leaves the old one or the new one.
 */
export async function saveNodeState(
  files: Files,
  directory: string,
  state: NodeState,
  replacing?: LogEnd,
): Promise<void> {
  const content = {
    format: FORMAT,
    version: VERSION,
    cluster: state.cluster ?? null,
    node: state.node,
    role: state.role,
    term: state.term,
    vote: state.vote ?? null,
    configuration: state.configuration ?? null,
    leftOutAt: state.leftOutAt ?? null,
    lastPrimary: state.lastPrimary ?? null,
    primaryAddress: state.primaryAddress ?? null,
    commit: state.commit,
    originIndex: state.originIndex,
    logIndex: state.logIndex ?? null,
    cleanEnd: state.cleanEnd ?? null,
    replacing: replacing ?? null,
    ...(state.divergence === undefined ? {} : { divergence: state.divergence }),
    ...(state.lossAccepted === true ? { lossAccepted: true } : {}),
  };
  const bytes = Buffer.from(encode(content));
  await files.replace(path.join(directory, NODE_STATE_NAME), bytes).catch((error: unknown) => {
    throw asDiskFull(error, directory);
  });
  await files.syncDirectory(directory);
}

function encode(content: Record<string, unknown>): string {
  return `${JSON.stringify({ ...content, checksum: checksumOf(content) }, undefined, 2)}\n`;
}

function checksumOf(content: Record<string, unknown>): string {
  return crc32(JSON.stringify(content)).toString(16).padStart(8, '0');
}

/** The fields of a node state as JSON has them, once {@link isWhole} has seen them. */
interface Fields {
  readonly cluster: ClusterId | null;
  readonly node: NodeId;
  readonly role: Role;
  readonly term: Term;
  readonly vote: NodeId | null;
  readonly configuration: PlacedConfiguration | null;
  readonly leftOutAt: Position | null;
  readonly lastPrimary: NodeId | null;
  readonly primaryAddress: string | null;
  readonly commit: Index;
  readonly originIndex: Index;
  readonly logIndex: Index | null;
  readonly cleanEnd: LogEnd | null;
  readonly replacing: LogEnd | null;
  /** Only there when there is something to say. */
  readonly divergence?: string;
  readonly lossAccepted?: boolean;
}

function decode(content: Record<string, unknown>, file: string): StoredNodeState {
  if (!isWhole(content)) throw damaged(file, 'a field is missing', 0);
  return {
    cluster: content.cluster ?? undefined,
    node: content.node,
    role: content.role,
    term: content.term,
    vote: content.vote ?? undefined,
    configuration: content.configuration === null ? undefined : withPolicy(content.configuration),
    leftOutAt: content.leftOutAt ?? undefined,
    lastPrimary: content.lastPrimary ?? undefined,
    primaryAddress: content.primaryAddress ?? undefined,
    commit: content.commit,
    originIndex: content.originIndex,
    logIndex: content.logIndex ?? undefined,
    cleanEnd: content.cleanEnd ?? undefined,
    replacing: content.replacing ?? undefined,
    ...(content.divergence === undefined ? {} : { divergence: content.divergence }),
    ...(content.lossAccepted === true ? { lossAccepted: true } : {}),
  };
}

function isWhole(content: Record<string, unknown>): content is Record<string, unknown> & Fields {
  const { cluster, node, role, vote, configuration, leftOutAt, primaryAddress } = content;
  return (
    orNull(isString)(cluster) &&
    isString(node) &&
    (role === 'primary' || role === 'backup') &&
    isCount(content.term) &&
    orNull(isString)(vote) &&
    orNull(isConfiguration)(configuration) &&
    orNull(isPosition)(leftOutAt) &&
    orNull(isString)(content.lastPrimary) &&
    orNull(isString)(primaryAddress) &&
    isCount(content.commit) &&
    isCount(content.originIndex) &&
    orNull(isCount)(content.logIndex) &&
    orNull(isLogEnd)(content.cleanEnd) &&
    orNull(isLogEnd)(content.replacing) &&
    (content.divergence === undefined || isString(content.divergence)) &&
    (content.lossAccepted === undefined || content.lossAccepted === true)
  );
}

function orNull(is: (value: unknown) => boolean): (value: unknown) => boolean {
  return (value) => value === null || is(value);
}

function isString(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isPosition(value: unknown): boolean {
  return isRecord(value) && isCount(value.term) && isCount(value.index);
}

function isLogEnd(value: unknown): boolean {
  return isPosition(value) && isRecord(value) && isCount(value.checksum);
}

/** Before there was a choice it was a person. */
function withPolicy(
  configuration: Partial<PlacedConfiguration> & Omit<PlacedConfiguration, 'failover'>,
): PlacedConfiguration {
  return { failover: 'manual', ...configuration };
}

function isConfiguration(value: unknown): boolean {
  if (!isRecord(value) || !isPosition(value.position)) return false;
  const { acks, failover } = value;
  return (
    arePeers(value.members) &&
    arePeers(value.learners) &&
    (acks === 'majority' || acks === 'all' || acks === '0') &&
    (failover === undefined || failover === 'manual' || failover === 'auto')
  );
}

function arePeers(value: unknown): boolean {
  const isPeer = (peer: unknown): boolean => isRecord(peer) && isString(peer.node) && isString(peer.address);
  return Array.isArray(value) && value.every(isPeer);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
