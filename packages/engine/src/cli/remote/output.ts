import colors from "picocolors";
import { columnsOf, cutTo, printable, printableJson } from "../terminal.ts";

/** A column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  /** Numbers and durations stand at the right. */
  readonly align?: "right";
  readonly color?: (text: string, row: Row) => string;
  /** The narrowest width to which a narrow terminal may cut the column. Default: the column isn't cut. */
  readonly shrinkTo?: number;
}

const GAP = "  ";

/**
 * Formats rows as a table, without the columns that are empty in all rows. The widest columns that may shrink do so until a
 * line fits into the terminal.
 *
 * @param width of the terminal; undefined without one: then the table isn't cut
 */
export function formatTable<Row>(
  rows: readonly Row[],
  all: readonly Column<Row>[],
  width: number | undefined = process.stdout.isTTY ? process.stdout.columns : undefined,
): string {
  const columns = all.filter(({ cell }) => rows.some((row) => cell(row) !== ""));
  const cells = rows.map((row) => columns.map(({ cell }) => printable(cell(row))));
  const widths = columns.map(({ title }, at) =>
    Math.max(columnsOf(title), ...cells.map((line) => columnsOf(line[at] ?? ""))),
  );
  if (width !== undefined) shrink(widths, columns, width);
  const lineOf = (texts: readonly string[], color: (text: string, at: number) => string): string =>
    texts
      .map((text, at) => {
        const cut = cutTo(widths[at] ?? 0, text);
        const padding = " ".repeat(Math.max(0, (widths[at] ?? 0) - columnsOf(cut)));
        const colored = color(cut, at);
        return columns[at]?.align === "right" ? padding + colored : colored + padding;
      })
      .join(GAP)
      .trimEnd();
  const titles = columns.map(({ title }) => title);
  return [
    lineOf(titles, (text) => colors.dim(text)),
    ...cells.map((line, row) =>
      lineOf(line, (text, at) => columns[at]?.color?.(text, rows[row] as Row) ?? text),
    ),
  ].join("\n");
}

/** Characters of one value on a terminal: a payload may fill thousands of lines. */
const MAX_SHOWN = 2000;

/**
 * Makes a value {@link printable}. On a terminal, a long one ends with a mark.
 *
 * @example
 * ```ts
 * printableValue("x".repeat(3000), true); // "xxx… (cut: 3000 characters; --json prints all)"
 * ```
 */
export function printableValue(value: string, isTerminal: boolean = process.stdout.isTTY === true): string {
  if (!isTerminal || value.length <= MAX_SHOWN) return printable(value);
  return `${printable(value.slice(0, MAX_SHOWN))}… (cut: ${value.length} characters; --json prints all)`;
}

function shrink(widths: number[], columns: readonly Column<never>[], width: number): void {
  const total = (): number => widths.reduce((sum, one) => sum + one, (widths.length - 1) * GAP.length);
  while (total() > width) {
    const candidates = widths
      .map((one, at) => ({ one, at, least: columns[at]?.shrinkTo ?? one }))
      .filter(({ one, least }) => one > least);
    const [widest] = candidates.sort((a, b) => b.one - a.one);
    if (!widest) return;
    widths[widest.at] = widest.one - 1;
  }
}

/** Prints a value for a script: JSON, indented, alone on stdout. */
export function printJson(value: unknown): void {
  console.log(printableJson(value, 2));
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
] as const;

/** Formats a duration by its two largest units: `1h 5m`, `3.2s`, `40ms`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`;
  const at = UNITS.findIndex(([, unit]) => ms >= unit);
  const [name, unit] = UNITS[at] ?? UNITS[3];
  const [smaller, part] = UNITS[at + 1] ?? UNITS[3];
  const rest = Math.floor((ms % unit) / part);
  return `${Math.floor(ms / unit)}${name}${rest > 0 ? ` ${rest}${smaller}` : ""}`;
}

/** Formats a time by its distance from now: `5m ago`, `in 2h`. */
export function formatDistance(time: number, now: number): string {
  const distance = Math.abs(now - time);
  const [name, unit] = UNITS.find(([, ms]) => distance >= ms) ?? ["s", 1000];
  const count = `${Math.max(0, Math.floor(distance / unit))}${name}`;
  return time > now ? `in ${count}` : `${count} ago`;
}

/** Formats a time with the date, in the local time zone: `2026-11-28 14:03:09`. */
export function formatTime(time: number): string {
  const date = new Date(time - new Date(time).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 19).replace("T", " ");
}

/** Says what a run waits for, with the engine's times in the local time zone, like all times of the commands. */
export function formatWait(text: string): string {
  return printable(text).replace(/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, (time) =>
    formatTime(Date.parse(time)),
  );
}
