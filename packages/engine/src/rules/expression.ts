/** A compiled expression: the value for a number of retries made so far. */
export type Expression = (retried: number) => number;

/** An expression that doesn't parse. */
export class ExpressionError extends Error {
  override name = "ExpressionError";
  /** The number of characters before the mistake. */
  readonly position: number;

  constructor(message: string, position: number) {
    super(`${message} at position ${position}`);
    this.position = position;
  }
}

type Call = (...values: number[]) => number;

// Name → function and how many arguments it takes, at least and at most.
const FUNCTIONS: Record<string, readonly [Call, number, number]> = {
  pow: [Math.pow, 2, 2],
  sqrt: [Math.sqrt, 1, 1],
  abs: [Math.abs, 1, 1],
  exp: [Math.exp, 1, 1],
  floor: [Math.floor, 1, 1],
  ceil: [Math.ceil, 1, 1],
  round: [Math.round, 1, 1],
  min: [Math.min, 1, Infinity],
  max: [Math.max, 1, Infinity],
};

// Enough for any sensible delay, and too few to exhaust the stack.
const MAX_LENGTH = 1000;
const MAX_DEPTH = 100;

/**
 * Compiles an expression of numbers, `retried`, `+ - * /`, parentheses and the functions of the protocol.
 *
 * @throws ExpressionError with the position of the mistake
 */
export function parseExpression(source: string): Expression {
  if (source.length > MAX_LENGTH)
    throw new ExpressionError(`longer than ${MAX_LENGTH} characters`, MAX_LENGTH);
  const parser = new Parser(source);
  const expression = parser.sum();
  parser.end();
  return expression;
}

/** One method per level of precedence. */
class Parser {
  readonly #source: string;
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
  }

  sum(): Expression {
    let left = this.#product();
    for (;;) {
      const before = left;
      if (this.#take("+")) {
        const right = this.#product();
        left = (retried) => before(retried) + right(retried);
      } else if (this.#take("-")) {
        const right = this.#product();
        left = (retried) => before(retried) - right(retried);
      } else return left;
    }
  }

  end(): void {
    if (this.#peek() !== "") throw this.#unexpected();
  }

  #product(): Expression {
    let left = this.#unary();
    for (;;) {
      const before = left;
      if (this.#take("*")) {
        const right = this.#unary();
        left = (retried) => before(retried) * right(retried);
      } else if (this.#take("/")) {
        const right = this.#unary();
        left = (retried) => before(retried) / right(retried);
      } else return left;
    }
  }

  #unary(): Expression {
    if (++this.#depth > MAX_DEPTH) throw new ExpressionError("nested too deeply", this.#at);
    const result = this.#take("-") ? negate(this.#unary()) : this.#primary();
    this.#depth--;
    return result;
  }

  #primary(): Expression {
    if (this.#take("(")) {
      const inner = this.sum();
      this.#expect(")");
      return inner;
    }
    const number = this.#match(/(?:\d+(?:\.\d*)?|\.\d+)/y);
    if (number !== undefined) {
      const value = Number(number);
      return () => value;
    }
    const position = this.#at;
    const name = this.#match(/[A-Za-z_]\w*/y);
    if (name === undefined) throw this.#unexpected();
    return name === "retried" ? (retried) => retried : this.#call(name, position);
  }

  #call(name: string, position: number): Expression {
    const known = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
    if (!known) throw new ExpressionError(`unknown name "${name}"`, position);
    const [apply, least, most] = known;
    this.#expect("(");
    const values: Expression[] = [];
    if (!this.#take(")")) {
      do values.push(this.sum());
      while (this.#take(","));
      this.#expect(")");
    }
    if (values.length < least || values.length > most) {
      const wanted = most === Infinity ? `at least ${least}` : `${least}`;
      throw new ExpressionError(`${name} takes ${wanted} argument(s), got ${values.length},`, position);
    }
    return (retried) => apply(...values.map((value) => value(retried)));
  }

  #match(pattern: RegExp): string | undefined {
    this.#peek();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #take(symbol: string): boolean {
    if (this.#peek() !== symbol) return false;
    this.#at++;
    return true;
  }

  #expect(symbol: string): void {
    if (!this.#take(symbol)) throw this.#unexpected(`, expected "${symbol}"`);
  }

  /** The next character after blanks; empty at the end. */
  #peek(): string {
    while (/\s/.test(this.#source[this.#at] ?? "")) this.#at++;
    return this.#source[this.#at] ?? "";
  }

  #unexpected(expected = ""): ExpressionError {
    const found = this.#peek();
    return new ExpressionError(`unexpected ${found === "" ? "end" : `"${found}"`}${expected}`, this.#at);
  }
}

function negate(expression: Expression): Expression {
  return (retried) => -expression(retried);
}
