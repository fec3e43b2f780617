import ts from 'typescript';
import { place, walk } from './source-files.js';

/** Timers and clocks, by the names under which they can be reached. */
const TIMERS = new Set(['setTimeout', 'setInterval', 'setImmediate', 'hrtime']);
const CLOCKS = new Set(['Date', 'performance']);
const TIMER_MODULES = new Set(['node:timers', 'node:timers/promises', 'timers', 'timers/promises']);
const CRYPTO_RANDOM = new Set([
  'getRandomValues',
  'randomBytes',
  'randomFill',
  'randomFillSync',
  'randomInt',
  'randomUUID',
]);
const EMITTERS = new Set(['EventEmitter', 'EventEmitterAsyncResource', 'EventTarget']);

/** Uses of the time and of timers. */
export function usesOfTime(file: ts.SourceFile): string[] {
  return uses(file, (node) => {
    if (isModule(node, TIMER_MODULES)) return true;
    if (!ts.isIdentifier(node) || !isReference(node)) return false;
    if (TIMERS.has(node.text)) return true;
    if (CLOCKS.has(node.text)) return !isMember(node) || isGlobal(node);
    return node.text === 'timeout' && isMember(node) && ownerName(node) === 'AbortSignal';
  });
}

/** Uses of randomness. */
export function usesOfRandomness(file: ts.SourceFile): string[] {
  return uses(file, (node) => {
    if (!ts.isIdentifier(node) || !isReference(node)) return false;
    if (CRYPTO_RANDOM.has(node.text)) return true;
    // Math may be asked for anything but `random`, and by name, so that this can be read here.
    if (node.text === 'Math') {
      const access = node.parent;
      return (
        !ts.isPropertyAccessExpression(access) || access.expression !== node || access.name.text === 'random'
      );
    }
    return false;
  });
}

/** Classes that extend an event emitter, and emitters that are made. */
export function usesOfEmitters(file: ts.SourceFile): string[] {
  return uses(file, (node) => {
    const made = ts.isNewExpression(node) || ts.isExpressionWithTypeArguments(node);
    return made && EMITTERS.has(lastName(node.expression));
  });
}

function uses(file: ts.SourceFile, isUse: (node: ts.Node) => boolean): string[] {
  const found: string[] = [];
  walk(file, (node) => {
    if (isUse(node)) found.push(`${place(node)}: ${node.getText().split('\n')[0] ?? ''}`);
    // A base class stands in a node that counts as a type.
    return !ts.isTypeNode(node) || ts.isExpressionWithTypeArguments(node);
  });
  return found;
}

/** Whether the name is used here, rather than given to a member or a property of one's own. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  const named = ts.isPropertyAssignment(parent) || ts.isClassElement(parent) || ts.isTypeElement(parent);
  if (named) return parent.name !== node;
  return !ts.isInterfaceDeclaration(parent) && !ts.isTypeAliasDeclaration(parent);
}

function isMember(node: ts.Identifier): boolean {
  return ts.isPropertyAccessExpression(node.parent) && node.parent.name === node;
}

function isGlobal(node: ts.Identifier): boolean {
  return ['globalThis', 'global'].includes(ownerName(node));
}

function ownerName(node: ts.Identifier): string {
  return ts.isPropertyAccessExpression(node.parent) ? lastName(node.parent.expression) : '';
}

function lastName(expression: ts.Expression): string {
  if (ts.isIdentifier(expression)) return expression.text;
  return ts.isPropertyAccessExpression(expression) ? expression.name.text : '';
}

function isModule(node: ts.Node, modules: ReadonlySet<string>): boolean {
  return ts.isStringLiteralLike(node) && modules.has(node.text);
}
