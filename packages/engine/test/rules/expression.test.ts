import { isExpression } from "@perdure/core/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ExpressionError, parseExpression } from "../../src/rules/expression.ts";

/** An expression with the value it must have, made together. */
type Pair = readonly [source: string, value: (retried: number) => number];

const { pair } = fc.letrec<{ pair: Pair }>((tie) => ({
  pair: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.nat(1000).map((n): Pair => [String(n), () => n]),
    fc.tuple(fc.nat(99), fc.nat(99)).map(([a, b]): Pair => [`${a}.${b}`, () => Number(`${a}.${b}`)]),
    fc.constant<Pair>(["retried", (retried) => retried]),
    tie("pair").map(([source, value]): Pair => [`( ${source})`, value]),
    tie("pair").map(([source, value]): Pair => [`-(${source})`, (retried) => -value(retried)]),
    fc.tuple(tie("pair"), fc.constantFrom("+", "-", "*", "/"), tie("pair")).map(
      ([[left, a], operator, [right, b]]): Pair => [
        `(${left}) ${operator}(${right})`,
        (retried) => {
          const [x, y] = [a(retried), b(retried)];
          if (operator === "+") return x + y;
          if (operator === "-") return x - y;
          return operator === "*" ? x * y : x / y;
        },
      ],
    ),
    fc
      .tuple(fc.constantFrom("sqrt", "abs", "exp", "floor", "ceil", "round"), tie("pair"))
      .map(
        ([name, [source, value]]): Pair => [`${name}(${source})`, (retried) => Math[name](value(retried))],
      ),
    fc
      .tuple(fc.constantFrom("min", "max"), fc.array(tie("pair"), { minLength: 1, maxLength: 4 }))
      .map(
        ([name, pairs]): Pair => [
          `${name}(${pairs.map(([source]) => source).join(" , ")})`,
          (retried) => Math[name](...pairs.map(([, value]) => value(retried))),
        ],
      ),
  ),
}));

describe("a retry-delay expression", () => {
  it.each([
    ["1000", 2, 1000],
    ["1000 * (1 + retried)", 2, 3000],
    ["pow(2, retried) * 1000", 3, 8000],
    ["max(1000, pow(2, retried) * 100)", 1, 1000],
    ["2 + 3 * 4 - 6 / 2", 0, 11],
    ["10 - 4 - 3", 0, 3],
    ["100 / 10 / 5", 0, 2],
    ["-retried * 2", 3, -6],
    ["2 - -3", 0, 5],
    ["- - 4", 0, 4],
    [".5 + 1.", 0, 1.5],
    ["min(4,\t3, 2,1)", 0, 1],
  ])("%s with retried = %i is %d", (source, retried, value) => {
    expect(parseExpression(source)(retried)).toBe(value);
  });

  it("has the value of what it was made from", () => {
    fc.assert(
      fc.property(pair, fc.nat(20), ([source, value], retried) => {
        fc.pre(source.length <= 1000);
        expect(parseExpression(source)(retried)).toEqual(value(retried));
      }),
    );
  });

  it.each([
    ["", "unexpected end at position 0"],
    ["1 +", "unexpected end at position 3"],
    ["1 2", 'unexpected "2" at position 2'],
    ["(1", 'unexpected end, expected ")" at position 2'],
    ["1)", 'unexpected ")" at position 1'],
    ["foo", 'unknown name "foo" at position 0'],
    ["constructor(1)", 'unknown name "constructor" at position 0'],
    ["1 + sin(2)", 'unknown name "sin" at position 4'],
    ["pow 2", 'unexpected "2", expected "(" at position 4'],
    ["pow(2)", "pow takes 2 argument(s), got 1, at position 0"],
    ["sqrt(1, 2)", "sqrt takes 1 argument(s), got 2, at position 0"],
    ["max()", "max takes at least 1 argument(s), got 0, at position 0"],
    ["1;process.exit()", 'unexpected ";" at position 1'],
    ["0x10", 'unexpected "x" at position 1'],
    ["2 ** 3", 'unexpected "*" at position 3'],
    ["+1", 'unexpected "+" at position 0'],
    [`${"(".repeat(200)}1${")".repeat(200)}`, "nested too deeply at position 100"],
    ["1+".repeat(600), "longer than 1000 characters at position 1000"],
  ])("%s doesn't parse", (source, message) => {
    expect(() => parseExpression(source)).toThrow(
      new ExpressionError(message.replace(/ at position \d+$/, ""), at(message)),
    );
  });

  it("parses or says where it doesn't, whatever the text", () => {
    const symbols = fc.constantFrom(..."0123456789.+-*/(), retriedpowmax");
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(symbols).map((all) => all.join("")),
        ),
        (source) => {
          try {
            expect(typeof parseExpression(source)(1)).toBe("number");
          } catch (error) {
            expect(error).toBeInstanceOf(ExpressionError);
            expect((error as ExpressionError).position).toBeLessThanOrEqual(source.length);
          }
        },
      ),
    );
  });
});

function at(message: string): number {
  return Number(/\d+$/.exec(message)?.[0]);
}

describe("the check that a client makes before it sends an expression", () => {
  const token = fc.constantFrom(
    ...[
      "1",
      "2.5",
      ".5",
      "3.",
      "retried",
      "+",
      "-",
      "*",
      "/",
      "(",
      ")",
      ",",
      " ",
      "pow",
      "min",
      "max",
      "sqrt",
    ],
    ...["abs(1)", "pow(2, retried)", "min(1,2,3)", "floor", "x", "#", "1e3", "5s", "max()", "exp(1,2)"],
  );

  it("agrees with the parser on any expression", () => {
    const seen = { good: 0, bad: 0 };
    fc.assert(
      fc.property(fc.array(token, { maxLength: 9 }), (tokens) => {
        const source = tokens.join("");
        let parses = true;
        try {
          parseExpression(source);
        } catch {
          parses = false;
        }
        seen[parses ? "good" : "bad"]++;
        expect(isExpression(source), source).toBe(parses);
      }),
      { numRuns: 3000 },
    );
    expect(Math.min(seen.good, seen.bad)).toBeGreaterThan(50);
  });
});
