import type { RequestLimits } from '../protocol/limits.js';
import type { RespVersion } from '../protocol/resp-reply.js';

/** The conversation that a command is part of: what the command may know and change of it. */
export interface Session {
  /** Counted from 1 for each server. */
  readonly id: number;
  /** `host:port` of the client, and of this side. */
  readonly peerAddress: string;
  readonly localAddress: string;
  readonly ageMs: number;
  /** What the client calls itself; empty until it does. */
  name: string;
  libraryName: string;
  libraryVersion: string;
  /** In which version of RESP replies are written from now on. */
  respVersion: RespVersion;
  /** The connection is closed behind the reply that is being written. */
  isEnding: boolean;
  readonly server: ServerFacts;
}

/** What a server tells about itself beside what its engine knows. */
export interface ServerFacts {
  readonly version: string;
  readonly processId: number;
  readonly uptimeMs: number;
  readonly connections: number;
  /** Since it started. */
  readonly connectionsTotal: number;
  readonly commandsTotal: number;
  readonly connectionsMax: number;
  readonly residentBytes: number;
  readonly requestLimits: RequestLimits;
}
