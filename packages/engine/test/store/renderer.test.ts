import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { POSTGRES } from "../../src/store/postgres/dialect.ts";
import { Renderer } from "../../src/store/renderer.ts";
import {
  constants,
  FOR_UPDATE,
  GREATEST,
  join,
  numbers,
  type Part,
  render,
  type Sql,
  sql,
  strings,
} from "../../src/store/tx.ts";

const one = (part: Part): Sql => sql`one ${part}`;
const two = (first: Part, second: Part): Sql => sql`two ${first} and ${second}`;

const { statement } = fc.letrec<{ statement: Sql; part: Part }>((tie) => ({
  statement: fc.oneof(
    { depthSize: "small" },
    fc.constant(sql`none`),
    fc.constantFrom("a", "b").map((word) => constants<string>(word)),
    tie("part").map(one),
    fc.tuple(tie("part"), tie("part")).map(([first, second]) => two(first, second)),
    fc.array(tie("statement"), { minLength: 1, maxLength: 3 }).map((parts) => join(parts, "AND")),
  ),
  part: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom(null, 1, "text", "with \0", new Uint8Array([1]), GREATEST, FOR_UPDATE),
    fc.constantFrom(strings(["a", "\0"]), strings([]), numbers([1, 2])),
    tie("statement"),
  ),
}));

describe("a statement that is found by its templates", () => {
  it("has the SQL and the values that it has when it is rendered", () => {
    const renderer = new Renderer(POSTGRES);
    fc.assert(
      fc.property(statement, (query) => {
        expect(renderer.render(query)).toEqual(render(query, POSTGRES));
      }),
      { numRuns: 1000 },
    );
  });

  it("has the SQL of its own dialect", () => {
    const renderer = new Renderer({ ...POSTGRES, placeholder: () => "?", greatest: "max" });
    const query = () => sql`SELECT ${GREATEST}(${1}, ${2})`;
    expect([query(), query()].map((each) => renderer.render(each).text)).toEqual(
      Array(2).fill("SELECT max(?, ?)"),
    );
  });
});
