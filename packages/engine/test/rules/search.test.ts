import { DatabaseSync } from "node:sqlite";
import { anyText } from "@perdure/test-support/fuzz";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EngineError } from "../../src/rules/engine-error.ts";
import { MAX_SEARCHED, parseSearch, searchedRecord, searchedText, wordsOf } from "../../src/rules/search.ts";

describe("words", () => {
  it.each<[string, string[]]>([
    ["Card-declined: 4.50 EUR", ["card", "declined", "4", "50", "eur"]],
    ["ann_b@example.com", ["ann", "b", "example", "com"]],
    ["ÀÉÎ straße İ", ["aei", "straße", "i"]],
    ["東京タワ2025", ["東", "京", "タ", "ワ", "2025"]],
    // Radicals, which Unicode counts among the symbols.
    ["⺀⺅人", ["⺀", "⺅", "人"]],
    ["card \u001b[31mdeclined\u001b[0m", ["card", "declined"]],
    ["", []],
    ["-- !! ''", []],
  ])("of %j are %j", (text, words) => {
    expect(wordsOf(text)).toEqual(words);
  });

  it("have 64 characters at most, whole ones", () => {
    expect(wordsOf("𐐷".repeat(100))).toEqual([wordsOf("𐐷".repeat(64))[0]]);
    expect(wordsOf(`x${"y".repeat(99)}`)[0]).toHaveLength(64);
  });

  it("have nothing that a database reads as syntax, whatever the text", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const word of wordsOf(text)) expect(word).toMatch(/^[\p{L}\p{N}\p{sc=Han}]+$/u);
      }),
    );
  });
});

describe("a search", () => {
  it("has words, which may go on, and quoted ones, which don't", () => {
    expect(parseSearch('card order-17 "not  Found"', "search")).toEqual([
      { words: ["card"], isPrefix: true },
      { words: ["order", "17"], isPrefix: true },
      { words: ["not", "found"], isPrefix: false },
    ]);
    // A quotation that is being typed.
    expect(parseSearch('"card decl', "search")).toEqual([{ words: ["card", "decl"], isPrefix: false }]);
  });

  it.each(["", "***", '""', "- -"])("without a word is refused: %j", (search) => {
    expect(() => parseSearch(search, "parameter search")).toThrow("parameter search: it has no word");
  });

  it("with too many words is refused", () => {
    expect(() => parseSearch("a ".repeat(21), "parameter search")).toThrow("20 words at most, got 21");
  });

  it("is never an error of SQLite's syntax, whatever it is", () => {
    const db = new DatabaseSync(":memory:");
    db.exec("CREATE VIRTUAL TABLE texts USING fts5(words, content = '', tokenize = 'ascii')");
    const insert = db.prepare("INSERT INTO texts (rowid, words) VALUES (?, ?)");
    const match = db.prepare("SELECT rowid FROM texts WHERE texts MATCH ?");
    let rows = 0;
    const anything = fc.oneof(
      anyText,
      fc.string({
        unit: fc.constantFrom('"', "*", "(", ")", "AND ", "NEAR", ":", "-", "^", "a", " ", "'", "\\"),
      }),
    );
    fc.assert(
      fc.property(anything, (text) => {
        try {
          const terms = parseSearch(text, "search");
          insert.run(++rows, wordsOf(text).join(" "));
          for (const { words, isPrefix } of terms) {
            const found = match.all(`"${words.join(" ")}"${isPrefix ? " *" : ""}`);
            expect(found.map(({ rowid }) => rowid)).toContain(rows);
          }
        } catch (error) {
          if (!(error instanceof EngineError)) throw error;
        }
      }),
    );
    db.close();
  });
});

describe("the text of a body", () => {
  it.each<[string, string[]]>([
    ['{"a":{"b":[1,true,"x"]}}', ["a", "b", "1", "true", "x"]],
    ['"{\\"inner\\":\\"one\\\\ntwo\\"}"', ["inner", "one", "two"]],
    ["plain text", ["plain", "text"]],
    ['{"cut":"off\\nhere', ["cut", "off", "here"]],
    ['"caf\u00c3\u00a9"', ["cafe"]],
    ['"caf\u00e9"', ["cafe"]],
    ["null", ["null"]],
    ['{"message":"no","stack":"Error: no\\n    at f (a.ts:10:2)"}', ["message", "no"]],
    ['{"stack":"node"}', ["stack", "node"]],
  ])("%s has the words %j", (body, words) => {
    expect(wordsOf(searchedText(body))).toEqual(words);
  });

  it("of a record leaves out what only the engine reads", () => {
    const record = { stepId: 1, stepName: "pay", stepType: "Run", concurrent: 1, out: '{"ok":"yes"}' };
    expect(wordsOf(searchedRecord(JSON.stringify(record)))).toEqual(["pay", "ok", "yes"]);
    expect(wordsOf(searchedRecord('{"stepName":"pay","out":"cut'))).toEqual([
      "stepname",
      "pay",
      "out",
      "cut",
    ]);
  });

  it("is bounded, whatever the body", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 20 }), (json) => {
        expect(searchedText(JSON.stringify([json, "x".repeat(99_999)])).length).toBeLessThanOrEqual(
          MAX_SEARCHED,
        );
      }),
    );
  });
});
