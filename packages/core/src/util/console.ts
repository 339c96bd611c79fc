import { safely } from "./check.ts";
import { isError, messageOf } from "./errors.ts";
import { testHost } from "./test-host.ts";

/** Control characters other than tab and line feed, and marks that change the direction of text. */
const UNPRINTABLE = /(?![\t\n])[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
const MAX_CAUSES = 8;

/** Characters of a line. Errors may be of any size. */
const MAX_LINE_LENGTH = 64 * 1024;

/** More warnings than a developer reads. Names that a loop creates must not fill the memory. */
const MAX_WARNINGS = 1000;

const warned = new Set<string>();

/**
 * Writes a line to the console. Values, such as an error that user code has thrown, follow the message as strings.
 * Characters that could control a terminal are escaped, whoever supplied them.
 *
 * @example
 * ```ts
 * writeLine("error", "The handler failed:", error); // [perdure] The handler failed: Error: … and its stack
 * ```
 */
export function writeLine(level: "error" | "warn" | "info", message: string, ...values: unknown[]): void {
  const line = ["[perdure]", message, ...values.map((value) => toText(value))].join(" ");
  const output = testHost()?.console ?? console;
  output[level](line.slice(0, MAX_LINE_LENGTH).replace(UNPRINTABLE, escapeCharacter));
}

/** Writes a warning to the console, once per process for each key. */
export function warnOnce(message: string, key: string = message): void {
  if (warned.has(key) || warned.size >= MAX_WARNINGS) return;
  warned.add(key);
  writeLine("warn", message);
}

/** Escapes a UTF-16 code unit as JSON does. */
export function escapeCharacter(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** An error's stack, its own properties and its causes; any other value as {@link messageOf} says it. */
function toText(value: unknown): string {
  return safely(() => describe(value)) ?? messageOf(value);
}

function describe(value: unknown, depth = 0): string {
  if (!isError(value) || depth > MAX_CAUSES) return messageOf(value);
  const { name, message, stack, cause, errors, ...own } = value as AggregateError;
  // Not every platform's stack begins with the message, and user code may have set any of these.
  const trace = String(stack).includes(message) ? stack : `${name}: ${message}\n${stack}`;
  const properties = Object.keys(own).length > 0 ? messageOf(own) : [];
  const inner = [cause ?? [], errors ?? []].flat().slice(0, MAX_CAUSES);
  // The errors of an AggregateError are shown without their causes, of which there may be many.
  const causes = inner.map((one) => `[cause]: ${describe(one, depth + (errors ? MAX_CAUSES : 1))}`);
  return [trace, properties, causes].flat().join("\n");
}
