export { createClient } from './client/client.js';
export type { KvClient, PromotionOptions, RemovalOptions } from './client/client.js';
export type { ClientOptions, ValueKind } from './client/options.js';
export type { ScanOptions } from './client/scan.js';
export type { CallOptions } from './client/call.js';
export type { PromotionReport, StatusReport } from './client/answers.js';
export type { Bytes } from './client/requests.js';
export type { ErrorReply, KvReply } from './client/reply.js';
export { CLIENT_ERROR_CODES, KvError } from './client/errors.js';
export type { ClientErrorCode, KvErrorCode } from './client/errors.js';
export { DEFAULT_ADDRESS, parseAddress, showAddress } from './client/address.js';
export type { Address, InvalidAddress } from './client/address.js';
export { ERROR_CODES } from './engine.js';
export type {
  AcksPolicy,
  ClusterId,
  ErrorCode,
  FailoverPolicy,
  FsyncPolicy,
  Guarantees,
  Index,
  MemberStatus,
  NodeId,
  Position,
  Role,
  Service,
  Status,
  Term,
} from './engine.js';
export { DEFAULT_SERVER_LIMITS, startServer, StartFault } from './cli/start-server.js';
export type { RequestLimits, RunningNode, ServerLimits, StartOptions } from './cli/start-server.js';
