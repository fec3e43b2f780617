import { expect } from 'chai';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../temporary-directory.js';

const PROGRAM = fileURLToPath(new URL('start-on-a-slow-disk.js', import.meta.url));

describe('A start on a slow disk', () => {
  const directory = temporaryDirectory();

  // A start that takes so long is taken for a pause of the process, after which a node waits a while before it does anything.
  it('EndsWithANodeThatListensAlsoWhereItWaitsForNothingButTime', async () => {
    const dbPath = path.join(directory.path, 'kv-store.json');
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, dbPath]);
    expect(stdout).to.match(/^127\.0\.0\.1:\d+\n$/);
  });
});
