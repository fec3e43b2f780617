/** The bytes that the framings give a meaning to. */
export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const QUOTE = 0x22;
export const DOLLAR = 0x24;
export const ASTERISK = 0x2a;
export const PLUS = 0x2b;
export const MINUS = 0x2d;
export const COLON = 0x3a;
export const BACKSLASH = 0x5c;
export const LOWER_N = 0x6e;
export const LOWER_R = 0x72;
export const LOWER_T = 0x74;
export const LOWER_X = 0x78;
export const DELETE = 0x7f;

/** A space or a tab: what stands between two words. */
export function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

/** A byte that a terminal would act on instead of showing. */
export function isControl(byte: number): boolean {
  return byte < SPACE || byte === DELETE;
}

/** 0 to 15, or -1 for a byte that is no hexadecimal digit. */
export function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
