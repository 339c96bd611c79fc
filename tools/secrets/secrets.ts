import ts from "@typescript/typescript6";

/** A comparison whose time may tell how much of a secret was right. */
export interface Comparison {
  readonly line: number;
  readonly text: string;
}

/** The last words of names of secrets, and of hashes of them. */
const SECRET = /(?:signature|secret|password|hash|digest|hmac|mac|token|signingKey|bearer)s?$/i;

const EQUALITY: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
]);

/** Methods that compare as `===` does. */
const COMPARING = /^(?:equals|includes|indexOf|startsWith|endsWith|localeCompare|has)$/;

/** Every place where a secret is compared by something else than a comparison of constant time. */
export function comparisonsOfSecrets(source: string): Comparison[] {
  const file = ts.createSourceFile("source.ts", source, ts.ScriptTarget.Latest, true);
  const found: Comparison[] = [];
  const look = (node: ts.Node): void => {
    if (comparesSecret(node)) {
      const { line } = file.getLineAndCharacterOfPosition(node.getStart(file));
      found.push({ line: line + 1, text: node.getText(file) });
    }
    ts.forEachChild(node, look);
  };
  look(file);
  return found;
}

function comparesSecret(node: ts.Node): boolean {
  if (ts.isBinaryExpression(node) && EQUALITY.has(node.operatorToken.kind))
    return !isPlain(node.left) && !isPlain(node.right) && (isSecret(node.left) || isSecret(node.right));
  if (ts.isSwitchStatement(node)) return isSecret(node.expression);
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  const { name, expression } = node.expression;
  if (!COMPARING.test(name.text)) return false;
  return isSecret(expression) || node.arguments.some((one) => isSecret(one));
}

/** Whether there is one at all, and of which type it is, anybody may learn. */
function isPlain(node: ts.Expression): boolean {
  return (
    ts.isLiteralExpression(node) ||
    ts.isTypeOfExpression(node) ||
    node.kind === ts.SyntaxKind.NullKeyword ||
    (ts.isIdentifier(node) && node.text === "undefined")
  );
}

function isSecret(node: ts.Node): boolean {
  if (ts.isIdentifier(node)) return SECRET.test(node.text);
  if (ts.isPropertyAccessExpression(node)) return SECRET.test(node.name.text);
  if (ts.isElementAccessExpression(node))
    return ts.isStringLiteral(node.argumentExpression) && SECRET.test(node.argumentExpression.text);
  if (ts.isAwaitExpression(node) || ts.isParenthesizedExpression(node) || ts.isAsExpression(node))
    return isSecret(node.expression);
  if (ts.isNonNullExpression(node)) return isSecret(node.expression);
  // The result of a function with a secret, or a value that is called a hash: `sha256(body)`, `digest(shown)`.
  if (ts.isCallExpression(node)) return isSecret(node.expression) || isHash(node.expression);
  return false;
}

function isHash(node: ts.Expression): boolean {
  return ts.isIdentifier(node) && /^(?:sha\d+|hmac|hash|digest)/i.test(node.text);
}
