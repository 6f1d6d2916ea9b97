/** Mutants of a TypeScript file: operators, literals, guards and calls, by the compiler's own syntax tree. */
import ts from 'typescript';
import { mutantOf, otherNumber, type Edit, type Mutant } from './mutant.js';

const operators = new Map<ts.SyntaxKind, string>([
  [ts.SyntaxKind.LessThanToken, '<='],
  [ts.SyntaxKind.LessThanEqualsToken, '<'],
  [ts.SyntaxKind.GreaterThanToken, '>='],
  [ts.SyntaxKind.GreaterThanEqualsToken, '>'],
  [ts.SyntaxKind.EqualsEqualsEqualsToken, '!=='],
  [ts.SyntaxKind.ExclamationEqualsEqualsToken, '==='],
  [ts.SyntaxKind.AmpersandAmpersandToken, '||'],
  [ts.SyntaxKind.BarBarToken, '&&'],
  [ts.SyntaxKind.PlusToken, '-'],
  [ts.SyntaxKind.MinusToken, '+'],
  [ts.SyntaxKind.AsteriskToken, '+'],
  [ts.SyntaxKind.PercentToken, '+'],
  [ts.SyntaxKind.PlusEqualsToken, '-='],
]);

export function typescriptMutants(file: string, source: string): Mutant[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.Latest, true);
  const edits: Edit[] = [];
  const replace = (node: ts.Node, replacement: string): void => {
    edits.push({ start: node.getStart(), end: node.getEnd(), replacement });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isInterfaceDeclaration(node)) return;
    if (ts.isTypeAliasDeclaration(node) || isWording(node)) return;
    if (ts.isBinaryExpression(node)) {
      const other = operators.get(node.operatorToken.kind);
      if (other !== undefined && !isText(node)) replace(node.operatorToken, other);
    }
    if (ts.isNumericLiteral(node)) replace(node, String(otherNumber(BigInt(Number(node.text)))));
    if (ts.isBigIntLiteral(node)) replace(node, `${otherNumber(BigInt(node.text.slice(0, -1)))}n`);
    if (node.kind === ts.SyntaxKind.TrueKeyword) replace(node, 'false');
    if (node.kind === ts.SyntaxKind.FalseKeyword) replace(node, 'true');
    if (ts.isIfStatement(node)) replace(node.expression, 'false');
    if (ts.isConditionalExpression(node)) replace(node.condition, `!(${node.condition.getText()})`);
    if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
      replace(node, node.operand.getText());
    }
    if (ts.isExpressionStatement(node) && isCall(node.expression)) replace(node, ';');
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return edits.map((edit) => mutantOf(file, source, edit));
}

/** What is said, not what is done: the argument of a throw, the text of a log line. */
const isWording = (node: ts.Node): boolean =>
  ts.isThrowStatement(node) || (ts.isExpressionStatement(node) && /\blog\.\w+\(/.test(node.getText()));

const isText = ({ left, right }: ts.BinaryExpression): boolean =>
  [left, right].some((side) => ts.isStringLiteralLike(side) || ts.isTemplateExpression(side));

const isCall = (expression: ts.Expression): boolean =>
  ts.isCallExpression(ts.isAwaitExpression(expression) ? expression.expression : expression);

/** As tsc writes it; types are not checked, so that a mutant costs milliseconds. */
export const transpiled = (text: string): string =>
  ts.transpileModule(text, {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ES2022,
      verbatimModuleSyntax: true,
    },
  }).outputText;
