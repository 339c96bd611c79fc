import { expect, it } from "vitest";
import { messageOf, reasonOf } from "../../src/rules/thrown.ts";

const circular: Record<string, unknown> = { code: 7 };
circular.self = circular;

it.each([
  ["an error", new TypeError("no answer"), "no answer"],
  ["an error without a message", new RangeError(), "RangeError"],
  ["several errors", new AggregateError([new Error("a"), new Error("b"), new Error("a")]), "a; b"],
  ["a string", "no answer", "no answer"],
  ["undefined", undefined, "undefined"],
  ["an object", { code: 7 }, '{"code":7}'],
  ["an object without a prototype", Object.assign(Object.create(null), { code: 7 }), '{"code":7}'],
  ["an object that contains itself", circular, '{"code":7,"self":"…"}'],
])("the message of %s", (_, thrown, message) => {
  expect(messageOf(thrown)).toBe(message);
});

it("the reason of a failed handshake is in words", () => {
  const error = new Error(
    "0:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:tls_any_meth.c:84:",
  );
  expect(reasonOf(error)).toBe(
    "TLS failed (wrong version number): the server speaks no TLS, call it by http://",
  );
});
