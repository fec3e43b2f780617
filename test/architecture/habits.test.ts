import { expect } from 'chai';
import { usesOfEmitters } from './forbidden-uses.js';
import { parse, sourceFiles } from './source-files.js';

/** A file that stands for its folder: it hides which file of a room another one knows. */
function isBarrel(fileName: string): boolean {
  return fileName.endsWith('/index.ts') && fileName !== 'src/index.ts';
}

describe('the habits of src', () => {
  it('make no event emitters of our own', () => {
    expect(sourceFiles().flatMap(usesOfEmitters)).to.deep.equal([]);
  });

  it('keep no barrel file in a room', () => {
    expect(
      sourceFiles()
        .map((file) => file.fileName)
        .filter(isBarrel),
    ).to.deep.equal([]);
  });
});

describe('the check of habits', () => {
  const emitters = [
    'class Loop extends EventEmitter {}',
    'class Loop extends events.EventEmitter<Map> {}',
    'const Loop = class extends EventTarget {};',
    'const bus = new EventEmitter();',
    'const bus = new events.EventEmitter({ captureRejections: true });',
  ];
  for (const text of emitters) {
    it(`refuses ${text}`, () => {
      expect(usesOfEmitters(parse('src/node/loop.ts', text))).to.have.length(1);
    });
  }

  it('allows listening to the emitters of Node', () => {
    const text = `socket.on('data', read); function watch(from: EventEmitter): void {} class A extends B {}`;
    expect(usesOfEmitters(parse('src/node/loop.ts', text))).to.deep.equal([]);
  });

  it('refuses a barrel in a room, at any depth, and allows the one of the package', () => {
    expect(['src/node/index.ts', 'src/a/b/index.ts', 'src/index.ts'].filter(isBarrel)).to.deep.equal([
      'src/node/index.ts',
      'src/a/b/index.ts',
    ]);
  });
});
