import type { CommandSpec } from './command-spec.js';
import { DATA_COMMANDS } from './command-table/data.js';
import { SERVER_COMMANDS } from './command-table/servers.js';
import { TOOL_COMMANDS } from './command-table/tools.js';

/** Every command there is, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [...DATA_COMMANDS, ...SERVER_COMMANDS, ...TOOL_COMMANDS];
