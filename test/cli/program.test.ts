import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { repositoryRoot } from '../repository-root.js';
import { KV } from './run-kv.js';

const STATIC_IMPORT = /^(?:import|export)\b[^'"]*['"](\.[^'"]+)['"]/gm;

/** The files of this package that are loaded with one, itself included. */
function loadedWith(file: string, loaded = new Set<string>()): Set<string> {
  if (loaded.has(file)) return loaded;
  loaded.add(file);
  for (const [, name] of readFileSync(file, 'utf8').matchAll(STATIC_IMPORT))
    loadedWith(path.join(path.dirname(file), name!), loaded);
  return loaded;
}

describe('The program', () => {
  const description = JSON.parse(readFileSync(path.join(repositoryRoot, 'package.json'), 'utf8')) as {
    exports: { '.': { default: string } };
  };

  it('IsJoinedToAFewFilesWithNothingOfTheServerInWhatACommandLoads', () => {
    const loaded = [...loadedWith(KV)].map((file) => path.relative(repositoryRoot, file));
    expect(loaded).to.include('build/package/kv.js');
    expect(loaded.length).to.be.below(25);
    expect(loaded.filter((file) => file.startsWith('build/src'))).to.deep.equal([]);
    expect(loaded.filter((file) => file.includes('server'))).to.deep.equal([]);
  });

  it('IsJoinedToAFewFilesAsALibraryToo', () => {
    const loaded = loadedWith(path.join(repositoryRoot, description.exports['.'].default));
    expect(loaded.size).to.be.below(25);
  });
});
