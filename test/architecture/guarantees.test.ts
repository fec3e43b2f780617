import { expect } from 'chai';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from '../repository-root.js';

/** Everything that stands in the tests, where the titles are. */
function testSources(): string {
  const folder = path.join(repositoryRoot, 'test');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
    (name) => /\.(test|alone|tools)\.ts$/.test(name) || name.endsWith('-contract.ts'),
  );
  return names.map((name) => readFileSync(path.join(folder, name), 'utf8')).join('\n');
}

describe('docs/guarantees.md', () => {
  const page = readFileSync(path.join(repositoryRoot, 'docs', 'guarantees.md'), 'utf8');
  const promises = page
    .slice(0, page.indexOf('## What nobody'))
    .split('\n')
    .filter((line) => line.startsWith('- '));

  it('NamesForEachPromiseATestThatThereIs', () => {
    const sources = testSources();
    expect(promises).to.have.length.above(30);
    for (const promise of promises) {
      const names = [...promise.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? '');
      const titles = names.filter(
        (name) => !name.startsWith('--') && /[A-Z].*[a-z][A-Z]|[a-z] [a-z]/.test(name),
      );
      expect(titles, promise).to.not.be.empty;
      for (const title of titles) expect(sources, title).to.include(title);
    }
  });
});
