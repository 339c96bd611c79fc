import { createHash } from "node:crypto";
import { messageOf } from "../../rules/thrown.ts";
import { StoreUnavailable } from "../unavailable.ts";
import { toLine } from "./lines.ts";
import { differencesOf, type MoveEnd, type Row, type Table } from "./table.ts";

/** How far a move is. */
export interface MoveProgress {
  readonly doing: "copy" | "compare";
  readonly table: string;
  /** Rows of this table so far. */
  readonly rows: number;
  /** True once with the last row of the table. */
  readonly done: boolean;
}

/** A table that has been copied, and that is the same in both databases. */
export interface MovedTable {
  readonly table: string;
  readonly rows: number;
}

type Report = (progress: MoveProgress) => void;

/**
 * Copies all rows of all tables, then reads the target and compares it with the rows that were read from the source.
 *
 * @throws StoreUnavailable when the tables don't fit, the target has rows, or a comparison fails. The caller then drops
 * all that the target was given
 */
export async function copyTables(source: MoveEnd, target: MoveEnd, report: Report): Promise<MovedTable[]> {
  const differences = differencesOf(source.tables, target.tables);
  if (differences.length > 0) {
    throw new StoreUnavailable(
      `The tables of the two databases differ: ${differences.join("; ")}. Start the newest engine on each of them once, and stop it.`,
    );
  }
  await refuseRows(target);
  const moved: MovedTable[] = [];
  for (const table of source.tables) {
    const copied = new Digest("copy", table, report);
    try {
      await target.write(table, copied.watch(source.rows(table)));
    } catch (cause) {
      if (cause instanceof StoreUnavailable) throw cause;
      throw new StoreUnavailable(
        `The table "${table.name}" can't be copied: after ${copied.rows} rows, ${messageOf(cause)}${detailOf(cause)}.`,
        { cause },
      );
    }
    await compare(copied, target, report);
    const last = await source.lastNumber(table);
    if (last !== undefined) await target.numberFrom(table, last);
    moved.push({ table: table.name, rows: copied.rows });
  }
  return moved;
}

async function refuseRows(target: MoveEnd): Promise<void> {
  for (const table of target.tables) {
    if (await target.hasRows(table)) {
      throw new StoreUnavailable(
        `The target isn't empty: its table "${table.name}" has rows. Name an empty database, or another schema with ?schema=NAME.`,
      );
    }
  }
}

async function compare(copied: Digest, target: MoveEnd, report: Report): Promise<void> {
  const { table } = copied;
  const stored = new Digest("compare", table, report);
  for await (const _ of stored.watch(target.rows(table)));
  if (stored.rows === copied.rows && stored.value === copied.value) return;
  throw new StoreUnavailable(
    `The copy of the table "${table.name}" differs: ${copied.rows} rows were read with the digest ${copied.value}, and ${stored.rows} were stored with ${stored.value}.`,
  );
}

/** PostgreSQL's own words about the value that it has refused. */
function detailOf(cause: unknown): string {
  const { detail } = Object(cause) as { readonly detail?: unknown };
  return typeof detail === "string" ? ` (${detail.slice(0, 200)})` : "";
}

/** Milliseconds between reports of one table. */
const REPORT_MS = 1000;

/** Counts and digests the rows of a table, as they pass. */
class Digest {
  readonly table: Table;
  readonly #doing: MoveProgress["doing"];
  readonly #report: Report;
  readonly #hash = createHash("sha256");
  #rows = 0;
  #value = "";

  constructor(doing: MoveProgress["doing"], table: Table, report: Report) {
    this.#doing = doing;
    this.table = table;
    this.#report = report;
  }

  get rows(): number {
    return this.#rows;
  }

  /** The digest of all rows. Empty until the last one has passed. */
  get value(): string {
    return this.#value;
  }

  async *watch(rows: AsyncIterable<Row>): AsyncGenerator<Row> {
    let reported = performance.now();
    for await (const row of rows) {
      this.#hash.update(toLine(row));
      this.#rows++;
      yield row;
      if (performance.now() - reported < REPORT_MS) continue;
      this.#tell(false);
      reported = performance.now();
    }
    this.#value = this.#hash.digest("hex");
    this.#tell(true);
  }

  #tell(done: boolean): void {
    this.#report({ doing: this.#doing, table: this.table.name, rows: this.#rows, done });
  }
}
