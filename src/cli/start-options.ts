import type { Address } from '../client/address.js';
import type {
  AcksPolicy,
  FailoverPolicy,
  FsyncPolicy,
  Guarantees,
  MemberStatus,
  Role,
  Service,
  Term,
} from '../engine.js';
import type { EventLog } from '../event-log.js';
import { LARGEST_REQUEST_LIMITS } from '../protocol/limits.js';
import type { RequestLimits } from '../protocol/limits.js';
import { ACKS_0_WITH_AUTO } from '../replication/changing.js';
import { secretObjection } from '../server/handshake-proofs.js';
import type { ServerLimits } from '../server/limits.js';
import type { Files } from '../storage/files.js';

/** How a server is to run. Everything but the address and the file has a default. */
export interface StartOptions {
  /** Port 0 lets the system choose one. */
  readonly address: Address;
  /** The JSON file; the log lies beside it in a directory of the same name and `.d`. */
  readonly dbPath: string;
  readonly fsync?: FsyncPolicy;
  /** How a new data file starts; what a node knows already wins over it. */
  readonly role?: Role | undefined;
  /** The only node that may add a new backup. */
  readonly primary?: Address | undefined;
  /**
   * A node of the cluster that a new node is to be a backup of: it asks there to be added, and asks again until it is, see
   * `RunningNode.joined`. Only a node of that cluster may add it. What was added already just starts. Neither with `primary` nor
   * with the role `primary`.
   */
  readonly join?: Address | undefined;
  /** Where the other nodes reach this one; the address that it listens at when not given. */
  readonly advertise?: Address | undefined;
  /** How many members must hold a write. Changed where this node is the primary. */
  readonly acks?: AcksPolicy | undefined;
  /**
   * Who makes another primary when this one is lost: a person (`manual`, as a new cluster has it), or the members themselves (`auto`,
   * of use with three members or more, and not with `acks: '0'`). A setting of the cluster: changed where this node is the primary, and
   * elsewhere once it is.
   */
  readonly failover?: FailoverPolicy | undefined;
  /**
   * What the nodes of a cluster prove to each other that they have, 16 to 4096 bytes. Without it they speak with each other on
   * one machine only. Neither logged nor shown.
   */
  readonly clusterSecret?: string | Uint8Array | undefined;
  /** Listen where other machines can connect, although no client is asked who it is. */
  readonly allowUnauthenticated?: boolean;
  /** Size of a log segment. */
  readonly segmentBytes?: number;
  /** The JSON file is written when the log grew by this much. */
  readonly snapshotLogBytes?: number;
  /** What clients may ask of it. What is not given keeps its default. A backup follows its primary whatever these are. */
  readonly limits?: Partial<ServerLimits>;
  /** Bytes of all keys and values. Past it a write that adds to them is refused with `MEMORY_FULL`; no bound when not given. */
  readonly dataBytesMax?: number | undefined;
  /** As a backup, reads are refused while what they would show may be older than this; no bound when not given. */
  readonly readsBehindMaxMs?: number | undefined;
  /** A session that no client uses for so long is ended; an hour when not given. */
  readonly sessionIdleMs?: number | undefined;
  /** A write that is not confirmed after this long is answered so. */
  readonly writeTimeoutMs?: number;
  readonly events?: EventLog;
  /** The file system; tests put one in its place that fails. */
  readonly files?: Files;
}

/** A server that is up. What it says of its part in the cluster holds at the moment in which it is read. */
export interface RunningNode {
  /** `HOST:PORT`, with the port that the system chose. */
  readonly address: string;
  readonly role: Role;
  readonly service: Service;
  readonly term: Term;
  readonly keys: number;
  readonly members: readonly MemberStatus[];
  /** What it promises, and the settings of its cluster. */
  readonly guarantees: Guarantees;
  /** It started on a full disk: it answers reads, and goes on by itself once there is room. */
  readonly isDiskFull: boolean;
  /**
   * With `join`: resolves once the node is a member of the cluster, which takes as long as nobody there answers; at once for one that
   * was added before, and without `join`. Never rejects; resolves at a stop, too.
   */
  readonly joined: Promise<void>;
  /**
   * Lets another member take over where this is the primary and `failover` is `auto`; then answers what was accepted, writes the JSON
   * file and lets go of the data. Safe to call twice.
   */
  stop(): Promise<void>;
  /** Resolves, and never rejects, with the reason when the node had to stop taking writes; then call `stop`. */
  readonly failed: Promise<Error>;
}

/** Why a server did not start. The message is one line and says what to do. */
export class StartFault extends Error {
  override readonly name = 'StartFault';
}

/** Refuses what contradicts itself, a secret that is none, and bounds on requests beyond what the log, links and the JSON file can carry. */
export function checkOptions(options: StartOptions): void {
  const { limits, dataBytesMax = Infinity, readsBehindMaxMs = 0, sessionIdleMs = 1, clusterSecret } = options;
  if (options.acks === '0' && options.failover === 'auto') throw new StartFault(ACKS_0_WITH_AUTO);
  const objection =
    joinObjection(options) ?? (clusterSecret === undefined ? undefined : secretObjection(clusterSecret));
  if (objection !== undefined) throw new StartFault(objection);
  const wanted: Partial<RequestLimits> = limits?.request ?? {};
  for (const name of ['keyBytesMax', 'valueBytesMax', 'requestBytesMax', 'wordsMax'] as const) {
    const largest = LARGEST_REQUEST_LIMITS[name];
    const value = wanted[name] ?? largest;
    if (value >= 1 && value <= largest) continue;
    throw new StartFault(`limits.request.${name} is ${String(value)}: give 1 to ${String(largest)}`);
  }
  if (!(dataBytesMax >= 0))
    throw new StartFault(`dataBytesMax is ${String(dataBytesMax)}: give a number of bytes`);
  if (!(readsBehindMaxMs >= 0))
    throw new StartFault(`readsBehindMaxMs is ${String(readsBehindMaxMs)}: give milliseconds`);
  if (!(sessionIdleMs > 0))
    throw new StartFault(`sessionIdleMs is ${String(sessionIdleMs)}: give milliseconds`);
}

/** Addresses at which a server listens everywhere, and at which nobody can be reached. */
const EVERYWHERE: ReadonlySet<string> = new Set(['0.0.0.0', '::', '0:0:0:0:0:0:0:0']);

/** Why a node cannot join as these options say it; undefined when it can, or is not to. */
export function joinObjection(
  options: Pick<StartOptions, 'address' | 'advertise' | 'join' | 'primary' | 'role'>,
): string | undefined {
  const { join, role, primary, address, advertise } = options;
  if (join === undefined) return undefined;
  if (role === 'primary') return '--join makes a backup of a new node: leave out --role primary';
  if (primary !== undefined)
    return '--join asks to be added, and --primary waits for that: give one of the two';
  if (join.port === (advertise ?? address).port && join.host === (advertise ?? address).host)
    return '--join names this node itself: give the address of another one';
  if (advertise === undefined && EVERYWHERE.has(address.host))
    return `nobody can be reached at ${address.host}: give --advertise HOST:PORT, where the other nodes reach this one`;
  return undefined;
}
