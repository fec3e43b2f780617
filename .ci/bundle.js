import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { rollup } from '@rollup/wasm-node';

const OUTPUT = 'build/package';
const INPUT = { kv: 'build/src/cli/main.js', index: 'build/src/index.js' };

/**
 * Joins the modules of the program to a few files: Node.js takes some 0.4 ms to find, read and compile each, so that a server of 210 modules
 * is ready 70 to 90 ms sooner. What is loaded only when it is needed stays a file of its own; what other packages are made of is
 * left to them. What a module declares as `const` must stay that: a tool that made variables of it cost a start from the log 5 to 10 %.
 */
const program = await rollup({ input: INPUT, external: (name) => !/^[./]/.test(name) });
const { output } = await program.write({ dir: OUTPUT, sourcemap: true, sourcemapExcludeSources: true });
await program.close();

// What is left of earlier builds. Whoever runs one that is the same meanwhile misses nothing.
const written = new Set(output.map(({ fileName }) => path.normalize(fileName)));
for (const name of readdirSync(OUTPUT)) if (!written.has(name)) rmSync(path.join(OUTPUT, name));
