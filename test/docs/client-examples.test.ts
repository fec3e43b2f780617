import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { clusters } from '../faults/cluster.js';
import { repositoryRoot } from '../repository-root.js';

interface Example {
  readonly title: string;
  readonly code: string;
  /** What stands below it on the page. */
  readonly output: string;
}

/** The TypeScript on the page, with the output that is shown below it. */
function examplesOf(page: string): Example[] {
  const examples: Example[] = [];
  let title = '';
  let code: string | undefined;
  for (const [, heading, language, body = ''] of page.matchAll(/^(?:## (.+)|```(ts|text)\n([^]*?)^```)$/gm)) {
    if (heading !== undefined) title = heading;
    else if (language === 'ts') code = body;
    else if (code !== undefined) {
      examples.push({ title, code, output: body });
      code = undefined;
    }
  }
  return examples;
}

/** What the compiler says about these files, under the settings of the project itself. */
function complaints(files: readonly string[]): string[] {
  const config = path.join(repositoryRoot, 'tsconfig.json');
  const { config: read } = ts.readConfigFile(config, (file) => ts.sys.readFile(file)) as {
    config: { compilerOptions: Record<string, unknown> };
  };
  const own = { composite: false, incremental: false, declaration: false, sourceMap: false };
  const { options } = ts.convertCompilerOptionsFromJson({ ...read.compilerOptions, ...own }, repositoryRoot);
  delete options.outDir;
  delete options.rootDir;
  delete options.tsBuildInfoFile;
  const program = ts.createProgram([...files], options);
  const found = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  return found.map(
    (one) => `${one.file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(one.messageText, ' ')}`,
  );
}

describe('docs/client.md', () => {
  const nodes = clusters();
  const page = readFileSync(path.join(repositoryRoot, 'docs', 'client.md'), 'utf8');
  // Within the package, where its name is known.
  let folder: string;

  before(() => {
    folder = mkdtempSync(path.join(repositoryRoot, 'build', 'examples-'));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  async function run(
    file: string,
    environment: NodeJS.ProcessEnv,
  ): Promise<{ code: number; output: string }> {
    const child = spawn(process.execPath, [file], { env: { ...process.env, NO_COLOR: '1', ...environment } });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number];
    return { code, output };
  }

  it('HasOnlyExamplesThatCompileStrictlyAndPrintWhatIsShownBelowThem', async function () {
    this.timeout(120_000);
    const examples = examplesOf(page);
    expect(examples).to.have.length.above(6);
    expect(examples.length, 'each has its output').to.equal(page.match(/^```ts$/gm)?.length);
    const cluster = await nodes.of(3);
    const files = examples.map(({ code }, at) => {
      const file = path.join(folder, `example${String(at)}.ts`);
      const here = cluster.reduce(
        (text, node, place) => text.replaceAll(`127.0.0.1:${String(7001 + place)}`, node.address),
        code,
      );
      writeFileSync(file, here);
      return file;
    });
    expect(complaints(files)).to.deep.equal([]);
    const environment = { KV_URL: `kv://${cluster.map(({ address }) => address).join(',')}` };
    for (const [at, { title, output }] of examples.entries()) {
      const finished = await run(path.join(folder, `example${String(at)}.js`), environment);
      expect(finished, title).to.deep.equal({ code: 0, output });
    }
  });

  it('NamesEveryOptionAndEveryCode', () => {
    const options = readFileSync(path.join(repositoryRoot, 'src', 'client', 'options.ts'), 'utf8');
    const names = [...options.matchAll(/^ {2}readonly (\w+)\?:/gm)].map((match) => match[1] ?? '');
    expect(names).to.have.length.above(10);
    const codes = readFileSync(path.join(repositoryRoot, 'src', 'client', 'errors.ts'), 'utf8');
    names.push(...[...codes.matchAll(/^ {2}'([A-Z_]+)',/gm)].map((match) => match[1] ?? ''));
    for (const name of names) expect(page, name).to.include(`\`${name}\``);
  });
});
