import { posix } from 'node:path';
import ts from 'typescript';
import { place, walk } from './source-files.js';

/** One file names another: an import, an export from, a dynamic import, or the type of an import. */
export interface Arrow {
  /** `src/room/file.ts` */
  readonly from: string;
  /** `src/room/file.ts`, a path outside `src` that begins with `./`, or the name of a package or of a part of Node. */
  readonly to: string;
  /** Whether nothing of it is left once the types are gone. */
  readonly typeOnly: boolean;
  /** Where it stands, for a message. */
  readonly place: string;
}

/** What an arrow points at when its target is computed, and so cannot be read. */
export const UNREADABLE = '(computed)';

export function arrowsOf(file: ts.SourceFile): Arrow[] {
  const arrows: Arrow[] = [];
  walk(file, (node) => {
    const found = arrowAt(node);
    if (found !== undefined) {
      const to = found.to === undefined ? UNREADABLE : target(file.fileName, found.to);
      arrows.push({ from: file.fileName, to, typeOnly: found.typeOnly, place: place(node) });
    }
    return true;
  });
  return arrows;
}

interface Found {
  readonly to: string | undefined;
  readonly typeOnly: boolean;
}

function arrowAt(node: ts.Node): Found | undefined {
  // `import { type A }` leaves an import without names behind, which runs the file: only `import type` leaves nothing.
  if (ts.isImportDeclaration(node)) {
    const typeOnly = node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
    return { to: literal(node.moduleSpecifier), typeOnly };
  }
  if (ts.isExportDeclaration(node)) {
    if (node.moduleSpecifier === undefined) return undefined;
    return { to: literal(node.moduleSpecifier), typeOnly: node.isTypeOnly };
  }
  if (ts.isExternalModuleReference(node)) return { to: literal(node.expression), typeOnly: false };
  if (ts.isImportTypeNode(node)) {
    const argument = ts.isLiteralTypeNode(node.argument) ? node.argument.literal : undefined;
    return { to: literal(argument), typeOnly: true };
  }
  if (!ts.isCallExpression(node)) return undefined;
  const dynamic = node.expression.kind === ts.SyntaxKind.ImportKeyword;
  const required = ts.isIdentifier(node.expression) && node.expression.text === 'require';
  return dynamic || required ? { to: literal(node.arguments[0]), typeOnly: false } : undefined;
}

function literal(node: ts.Node | undefined): string | undefined {
  return node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
}

function target(from: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  const file = posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts');
  return file.startsWith('src/') ? file : `./${file}`;
}

/** The files of one circle of arrows, the first repeated at the end; undefined when there is none. */
export function findCycle(arrows: readonly Arrow[]): string[] | undefined {
  const next = new Map<string, string[]>();
  for (const { from, to } of arrows) next.set(from, [...(next.get(from) ?? []), to]);
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] | undefined => {
    const seenAt = path.indexOf(file);
    if (seenAt !== -1) return [...path.slice(seenAt), file];
    if (done.has(file)) return undefined;
    path.push(file);
    for (const to of next.get(file) ?? []) {
      const cycle = visit(to);
      if (cycle !== undefined) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  };
  for (const file of next.keys()) {
    const cycle = visit(file);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
