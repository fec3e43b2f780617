import { readCommandLine } from './command-line.js';
import type { CommandLine } from './command-line.js';
import type { CommandSpec } from './command-spec.js';
import { COMMANDS } from './command-table.js';
import { CommandError, EXIT, UsageError } from './exit.js';
import { plainText, standardOutput } from './output.js';
import { readVersion } from './version.js';

// What cannot be written is told to whoever wrote it; without a listener it would also end the process.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

// Node leaves without a word, and with 13, when nothing is left that could finish what is awaited here.
process.on('exit', (code) => {
  if (code === 13)
    process.stderr.write('kv: ended before it was done, which is a defect: please report it\n');
});

/** Of a page where no terminal says it. */
const DEFAULT_COLUMNS = 80;

process.exitCode = await main(process.argv.slice(2));

/** Never rejects: whatever happens ends in an exit code and, unless all went well, a line on stderr. */
async function main(words: readonly string[]): Promise<number> {
  const commandLine = readCommandLine(words);
  try {
    return await perform(commandLine);
  } catch (error) {
    if (isBrokenPipe(error)) return EXIT.done;
    return complain(error, commandLine.kind === 'run' ? commandLine.command : undefined);
  }
}

async function perform(commandLine: CommandLine): Promise<number> {
  switch (commandLine.kind) {
    case 'run': {
      const { run } = await commandLine.command.load();
      return run(commandLine.invocation, COMMANDS);
    }
    case 'help': {
      const { helpText } = await import('./help.js');
      const columns = process.stdout.isTTY ? process.stdout.columns : DEFAULT_COLUMNS;
      await standardOutput(process.env).write(helpText(commandLine.command, columns));
      return EXIT.done;
    }
    case 'version':
      await standardOutput(process.env).write(`${readVersion()}\n`);
      return EXIT.done;
    case 'usage error':
      return complain(new UsageError(commandLine.message), commandLine.command);
  }
}

async function complain(error: unknown, command: CommandSpec | undefined): Promise<number> {
  const message = plainText(error instanceof Error ? error.message : String(error));
  if (error instanceof UsageError) {
    const { usageLine } = await import('./help.js');
    process.stderr.write(`kv: ${message}\n${usageLine(command)}\n`);
    return EXIT.usage;
  }
  if (error instanceof CommandError) {
    process.stderr.write(`kv: ${message}\n`);
    return error.exitCode;
  }
  process.stderr.write(`kv: failed for a reason that it does not know: ${message}\n`);
  return EXIT.failed;
}

/** Whoever read the output has seen enough, as in `kv keys | head -1`. */
function isBrokenPipe(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPIPE';
}
