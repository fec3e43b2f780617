import { readFileSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import ts from 'typescript';
import { repositoryRoot } from '../repository-root.js';

/** Every file under `src`, as `src/room/file.ts`. */
export function sourceFiles(): ts.SourceFile[] {
  const names = readdirSync(join(repositoryRoot, 'src'), { recursive: true, encoding: 'utf8' });
  const files = names
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => join('src', name));
  if (files.length === 0)
    throw new Error('no source files were found: what is checked here would pass for nothing');
  return files.map((file) =>
    parse(file.split(sep).join('/'), readFileSync(join(repositoryRoot, file), 'utf8')),
  );
}

export function parse(fileName: string, text: string): ts.SourceFile {
  return ts.createSourceFile(fileName, text, ts.ScriptTarget.Latest, true);
}

/** Calls `visit` with the node and everything below it, until it answers false for a subtree. */
export function walk(node: ts.Node, visit: (node: ts.Node) => boolean): void {
  if (!visit(node)) return;
  ts.forEachChild(node, (child) => {
    walk(child, visit);
  });
}

/** `src/room/file.ts:12`, for a message. */
export function place(node: ts.Node): string {
  const file = node.getSourceFile();
  const line = file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
  return `${file.fileName}:${String(line)}`;
}
