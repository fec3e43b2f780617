import type { CommandSpec } from '../command-spec.js';

export const TOOL_COMMANDS: readonly CommandSpec[] = [];
