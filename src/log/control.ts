import type { AcksPolicy, FailoverPolicy, NodeId, Position } from '../engine.js';
import { EntryKind, FrameBuilder } from './entry.js';
import { ENTRY_HEADER_BYTES } from './entry.js';
import { FRAME_HEADER_BYTES, endOf } from './frame.js';
import type { Frame, LogEnd } from './frame.js';
import type { Index, Term } from '../engine.js';

/** A node, and where the others reach it. */
export interface Peer {
  readonly node: NodeId;
  /** `host:port`. */
  readonly address: string;
}

/** Who takes part, and how many of them must hold a write. Set by entries of the log. */
export interface Configuration {
  /** They are counted when it is asked whether something is safe. */
  readonly members: readonly Peer[];
  /** They are sent everything and counted nowhere. */
  readonly learners: readonly Peer[];
  readonly acks: AcksPolicy;
  readonly failover: FailoverPolicy;
}

/** A configuration and the entry that set it. */
export interface PlacedConfiguration extends Configuration {
  readonly position: Position;
}

/**
 * An entry that concerns the cluster instead of the map. It stands in a frame of its own, so that it is found
 * without reading entries.
 */
export type ControlEntry =
  /** The first entry of a term. */
  | {
      readonly kind: 'open';
      /** Whose term it is. */
      readonly primary: NodeId;
      /** Set when the promotion changed who takes part. */
      readonly configuration: Configuration | undefined;
      /** Set when the operator accepted that data may be lost: what lies behind here is not known. */
      readonly lossAfter: Position | undefined;
    }
  | { readonly kind: 'configure'; readonly configuration: Configuration }
  /** Whoever applies it begins a snapshot, so that all have one of this position, and compares what it holds. */
  | { readonly kind: 'mark' };

/** Makes the frame of one control entry that follows `previous`. */
export function controlFrame(entry: ControlEntry, term: Term, previous: LogEnd): Frame {
  const builder = new FrameBuilder();
  const { kind, ...body } = entry;
  builder.control(EntryKind[kind], Buffer.from(JSON.stringify(body)));
  return builder.seal(term, (previous.index + 1) as Index, previous.checksum);
}

/** The control entry of a frame, or undefined when the frame holds operations. */
export function controlEntryOf(frame: Frame): ControlEntry | undefined {
  if (frame.count !== 1) return undefined;
  const kind = kindOfFirst(frame);
  if (kind === EntryKind.mark) return { kind: 'mark' };
  if (kind !== EntryKind.open && kind !== EntryKind.configure) return undefined;
  const body = frame.bytes.toString('utf8', frame.start + FRAME_HEADER_BYTES + ENTRY_HEADER_BYTES, frame.end);
  const fields = JSON.parse(body) as { configuration?: Omit<Configuration, 'failover'> };
  // Before there was a choice it was a person.
  const configuration = fields.configuration && { failover: 'manual', ...fields.configuration };
  return { kind: kind === EntryKind.open ? 'open' : 'configure', ...fields, configuration } as ControlEntry;
}

/** Whether a frame is the mark of a snapshot. */
export function isMark(frame: Frame): boolean {
  return frame.count === 1 && kindOfFirst(frame) === EntryKind.mark;
}

function kindOfFirst(frame: Frame): number | undefined {
  return frame.bytes[frame.start + FRAME_HEADER_BYTES + ENTRY_HEADER_BYTES - 1];
}

/** The configuration that a frame sets, if it sets one. */
export function configurationOf(frame: Frame): PlacedConfiguration | undefined {
  const entry = controlEntryOf(frame);
  if (entry === undefined || entry.kind === 'mark' || entry.configuration === undefined) return undefined;
  const { term, index } = endOf(frame);
  return { ...entry.configuration, position: { term, index } };
}
