import { expect } from 'chai';
import path from 'node:path';
import ts from 'typescript';
import { repositoryRoot } from '../repository-root.js';

/** What the package exports, and the members of what it exports, that nothing is said about. */
function undocumented(): string[] {
  const file = path.join(repositoryRoot, 'src', 'index.ts');
  const program = ts.createProgram([file], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2023,
    strict: true,
    types: ['node'],
    skipLibCheck: true,
  });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const module = source && checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error('src/index.ts exports nothing');
  const missing: string[] = [];
  const isSaid = (symbol: ts.Symbol): boolean => symbol.getDocumentationComment(checker).length > 0;
  for (const exported of checker.getExportsOfModule(module)) {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    if (!isSaid(symbol)) missing.push(exported.name);
    // Calls and options are what users look up one by one.
    if (!/^(KvClient|ClientOptions|CallOptions|ScanOptions)$/.test(exported.name)) continue;
    for (const member of checker.getDeclaredTypeOfSymbol(symbol).getProperties()) {
      if (!isSaid(member)) missing.push(`${exported.name}.${member.name}`);
    }
  }
  return missing;
}

describe('what the package exports', () => {
  it('IsDocumentedWhereItStands', function () {
    this.timeout(60_000);
    expect(undocumented()).to.deep.equal([]);
  });
});
