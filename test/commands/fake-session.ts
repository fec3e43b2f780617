import type { Session } from '../../src/commands/session.js';
import { DEFAULT_REQUEST_LIMITS } from '../../src/protocol/limits.js';

/** The session of a client that has said nothing of itself. */
export function aSession(changes: Partial<Session> = {}): Session {
  return {
    id: 7,
    peerAddress: '127.0.0.1:40000',
    localAddress: '127.0.0.1:7001',
    ageMs: 1500,
    name: '',
    libraryName: '',
    libraryVersion: '',
    respVersion: 2,
    isEnding: false,
    server: {
      version: '9.8.7',
      processId: 42,
      uptimeMs: 61_000,
      connections: 3,
      connectionsMax: 10_000,
      connectionsTotal: 12,
      commandsTotal: 34,
      residentBytes: 1_000_000,
      requestLimits: DEFAULT_REQUEST_LIMITS,
    },
    ...changes,
  };
}
