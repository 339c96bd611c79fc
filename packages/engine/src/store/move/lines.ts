import type { SqlValue } from "../tx.ts";
import type { Column, Row } from "./table.ts";

const NULL = "\\N";

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
};
const UNESCAPES = new Map(Object.entries(ESCAPES).map(([plain, escaped]) => [escaped, plain]));

/** A row as a line of the text format of PostgreSQL's COPY. Two rows have the same line only if they are the same. */
export function toLine(row: Row): string {
  return `${row.map(toField).join("\t")}\n`;
}

function toField(value: SqlValue): string {
  if (value === null) return NULL;
  if (typeof value === "number") return String(value);
  if (value instanceof Uint8Array) return `\\\\x${Buffer.from(value).toString("hex")}`;
  return value.replace(/[\\\b\f\n\r\t\v]/g, (one) => ESCAPES[one] ?? one);
}

/** Reads a line of COPY, without its end. */
export function readLine(line: string, columns: readonly Column[]): SqlValue[] {
  const fields = line.split("\t");
  return columns.map(({ type }, at) => {
    const field = fields[at] ?? NULL;
    if (field === NULL) return null;
    if (type === "integer") return Number(field);
    const text = field.replace(/\\./g, (escaped) => UNESCAPES.get(escaped) ?? escaped);
    return type === "text" ? text : new Uint8Array(Buffer.from(text.slice("\\x".length), "hex"));
  });
}

const NEWLINE = 0x0a;

/** Cuts the parts of a stream into lines, without their ends. */
export async function* linesOf(parts: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let begun: Uint8Array[] = [];
  for await (const part of parts) {
    let from = 0;
    for (let end = part.indexOf(NEWLINE); end >= 0; end = part.indexOf(NEWLINE, from)) {
      yield Buffer.concat([...begun, part.subarray(from, end)]).toString();
      [begun, from] = [[], end + 1];
    }
    if (from < part.length) begun.push(part.subarray(from));
  }
}
