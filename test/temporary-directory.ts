import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** A fresh directory for each test of the enclosing suite, removed when the test is over. */
export function temporaryDirectory(): { readonly path: string } {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(path.join(os.tmpdir(), 'understudy-test-'));
  });
  afterEach(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return {
    get path() {
      return directory;
    },
  };
}
