/**
 * Where a running server says what happens to it: one event a line, facts in fields. Never holds keys, values or
 * secrets.
 */
export interface EventLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
