import type { EngineEvent } from "../rules/event.ts";
import type { SearchTerm } from "../rules/search.ts";
import type { StateCount } from "./maintenance.ts";

/** A value that every driver can bind. Booleans are stored as 0 and 1, lists and objects as JSON. */
export type SqlValue = string | number | null | Uint8Array;

/**
 * One transaction, as the engine's rules see it: the only access to the tables. Each driver implements it;
 * all code above it is shared.
 *
 * Statements of one transaction run one after the other. A transaction that is rolled back records no events
 * and counts no changes of state.
 */
export interface Tx {
  /** When the caller asked for the transaction, in milliseconds since 1970, by the engine's clock. */
  readonly now: number;
  /** The first row, or `undefined` when there is none. */
  one<Row>(query: Sql): Promise<Row | undefined>;
  all<Row>(query: Sql): Promise<Row[]>;
  /** All rows of a result that may have thousands: others have their turns while the driver reads them. */
  many<Row>(query: Sql): Promise<Row[]>;
  /** @returns the number of rows that the statement changed */
  run(query: Sql): Promise<number>;
  /**
   * Runs a statement whose result the caller doesn't need: the transaction goes on without a wait for it. An error of the statement is
   * an error of the transaction's next one, or of its end.
   */
  send(query: Sql): void;
  /** All rows that the statements return for their rows, in no particular order. */
  allForEach<Row>(each: ForEach): Promise<Row[]>;
  /** Runs the statements as {@link send} does. */
  sendForEach(each: ForEach): void;
  /**
   * Takes the locks of these names, in their order, until the transaction ends: other transactions wait for them. A transaction
   * that takes several locks takes them in the order of {@link LOCKS}, and locks of one kind in the order of
   * their keys.
   */
  lock(kind: LockKind, ...keys: readonly string[]): Promise<void>;
  /** Takes those of the locks that no other transaction has. @returns for each name whether the transaction has the lock now */
  tryLock(kind: LockKind, ...keys: readonly string[]): Promise<boolean[]>;
  /** Wakes the dispatcher when a message, schedule or wait comes due. @param dueAt milliseconds since 1970 */
  wakeAt(dueAt: number): void;
  /** Passes an event to the engine's observers, once the transaction is durable. */
  record(event: EngineEvent): void;
  /** Counts a change of state for the metrics. */
  count(change: StateCount): void;
}

/** Runs an `INSERT … RETURNING … AS key` of one row. @returns the row's key */
export async function insert(tx: Tx, query: Sql): Promise<number> {
  const row = await tx.one<{ readonly key: number }>(query);
  if (!row) throw new Error("An INSERT that returns its key returned no row.");
  return row.key;
}

/** Returns the transaction without wake-ups, for a caller that checks by itself when messages come due. */
export function withoutWakeUps(tx: Tx): Tx {
  return {
    now: tx.now,
    one: (query) => tx.one(query),
    all: (query) => tx.all(query),
    many: (query) => tx.many(query),
    run: (query) => tx.run(query),
    send: (query) => tx.send(query),
    allForEach: (each) => tx.allForEach(each),
    sendForEach: (each) => tx.sendForEach(each),
    lock: (kind, ...keys) => tx.lock(kind, ...keys),
    tryLock: (kind, ...keys) => tx.tryLock(kind, ...keys),
    record: (event) => tx.record(event),
    count: (change) => tx.count(change),
    wakeAt: () => {},
  };
}

/** The kinds of locks, in the order in which a transaction takes them. */
export const LOCKS = [
  "group",
  "schedule",
  "letter",
  "run",
  "deduplication",
  "queue",
  "flow",
  "tick",
  "setting",
  "index",
] as const;

export type LockKind = (typeof LOCKS)[number];

/** Takes locks of several kinds, in the order that prevents deadlocks: of {@link LOCKS}, then of the keys. */
export async function lockAll(
  tx: Tx,
  keys: Partial<Readonly<Record<LockKind, Iterable<string | null | undefined>>>>,
): Promise<void> {
  for (const kind of LOCKS) {
    const given = keys[kind];
    // Every delivery passes here, and names few kinds.
    if (!given) continue;
    const named = new Set<string>();
    for (const key of given) if (typeof key === "string") named.add(key);
    if (named.size > 0) await tx.lock(kind, ...[...named].sort());
  }
}

/** The few parts of SQL that differ between databases. */
export interface Dialect {
  /** The name of the `index`-th parameter of a statement, from 1. */
  placeholder(index: number): string;
  /** The function that returns the greatest of its arguments. */
  readonly greatest: string;
  /**
   * The function that returns the place of its second argument in the first one, from 1; 0 when it isn't
   * there.
   */
  readonly position: string;
  /** The end of a query over `due` that passes over the rows which another transaction has locked, and locks the others. */
  readonly skipLocked: string;
  /** The end of a query over `due` that locks the rows, once no other transaction has locked them. */
  readonly forUpdate: string;
  /** A string as the database stores it. The driver reads it back as it was. */
  text(value: string): string;
  /** A query with one column, `value`, over a list that is bound as one parameter. */
  list(placeholder: string, of: "strings" | "numbers"): string;
  /** The parameter of {@link list}. */
  listValue(values: readonly (string | number)[]): string;
  /** The words of a text as a value of the table `search_texts`. `bind` returns a placeholder. */
  searchedWords(words: readonly string[], bind: (value: string) => string): string;
  /** The condition on `search_texts` that a text has a term. */
  searchTerm(term: SearchTerm, bind: (value: string) => string): string;
}

type Word = "greatest" | "position" | "skipLocked" | "forUpdate";

/** A word that the {@link Dialect} chooses. */
export class DialectWord {
  readonly word: Word;

  constructor(word: Word) {
    this.word = word;
  }
}

/** A list that a driver binds as one parameter, however many values it has. */
export class ValueList {
  readonly values: readonly (string | number)[];
  readonly of: "strings" | "numbers";

  constructor(values: readonly (string | number)[], of: "strings" | "numbers") {
    this.values = values;
    this.of = of;
  }
}

/** The words of a text, as the index of the search keeps them. */
export class SearchedWords {
  readonly words: readonly string[];

  constructor(words: readonly string[]) {
    this.words = words;
  }
}

/** The condition on `search_texts` that a text has a term. */
export class TermCondition {
  readonly term: SearchTerm;

  constructor(term: SearchTerm) {
    this.term = term;
  }
}

export type Part = SqlValue | Sql | ValueList | DialectWord | SearchedWords | TermCondition;

/** A statement or a part of a statement, with its values. {@link sql} makes it. */
export class Sql {
  readonly strings: readonly string[];
  readonly parts: readonly Part[];

  constructor(strings: readonly string[], parts: readonly Part[]) {
    this.strings = strings;
    this.parts = parts;
  }
}

/**
 * Makes a statement whose values are bound, never written into the SQL. Parts made by `sql` can be nested.
 *
 * @example
 * ```ts
 * const old = sql`created_at < ${time}`;
 * await tx.one(sql`SELECT * FROM runs WHERE id = ${id} AND ${old}`);
 * ```
 */
export function sql(strings: TemplateStringsArray, ...parts: readonly Part[]): Sql {
  return new Sql(strings, parts);
}

/**
 * The values as a query, for `IN (…)` and `FROM (…)`, with one column `value`.
 *
 * @example
 * ```ts
 * sql`DELETE FROM entries WHERE message IN (${strings(ids)})`;
 * ```
 */
export function strings(values: readonly string[]): ValueList {
  return new ValueList(values, "strings");
}

/** The numbers as a query, as {@link strings} makes one of strings. */
export function numbers(values: readonly number[]): ValueList {
  return new ValueList(values, "numbers");
}

export const GREATEST: DialectWord = new DialectWord("greatest");
export const POSITION: DialectWord = new DialectWord("position");
export const SKIP_LOCKED: DialectWord = new DialectWord("skipLocked");
export const FOR_UPDATE: DialectWord = new DialectWord("forUpdate");

/** The type of a column of {@link ForEach}. `strings` is a list, for `IN (…)`, and `words` are those of a text. */
export type ColumnType = "number" | "string" | "bytes" | "strings" | "words";

/** A value of a row that a statement is run for. */
export type EachValue = SqlValue | ValueList | SearchedWords;

/**
 * A statement that is to be run for each of several rows: for all of them at once by a database whose answers take longer than its work,
 * else for one after the other.
 */
export interface ForEach {
  readonly columns: Readonly<Record<string, ColumnType>>;
  readonly rows: readonly Readonly<Record<string, EachValue>>[];
  /**
   * @param row a part of a statement for each column
   * @param from the clause that `row` needs, behind the columns of a `SELECT` or the assignments of an `UPDATE`
   * @param join the same behind the tables of a `SELECT`
   */
  readonly statement: (row: never, from: Sql, join: Sql) => Sql;
}

/**
 * Makes a statement for each of several rows. A statement must not depend on what another row's has changed.
 *
 * @example
 * ```ts
 * tx.sendForEach(
 *   forEach({ run: "number", event: "string" }, rows, (row, from) =>
 *     sql`INSERT INTO webhooks (run, event) SELECT ${row.run}, ${row.event}${from}`),
 * );
 * ```
 */
export function forEach<Column extends string>(
  columns: Readonly<Record<Column, ColumnType>>,
  rows: readonly Readonly<Record<Column, EachValue>>[],
  statement: (row: Readonly<Record<Column, Part>>, from: Sql, join: Sql) => Sql,
): ForEach {
  return { columns, rows, statement };
}

/** Joins conditions, or rows of values, each in brackets. At least one is given. */
export function join(parts: readonly Sql[], by: "AND" | "OR" | ","): Sql {
  const strings = parts.map((_, index) => (index === 0 ? "(" : `) ${by} (`));
  return new Sql([...strings, ")"], parts);
}

/**
 * Writes constants into the SQL of a statement: a database uses a partial index only for constants. The type
 * argument names the union that the constants belong to, so that tsc checks each of them.
 *
 * @example
 * ```ts
 * sql`SELECT * FROM runs WHERE state = ${constants<RunState>("RUN_STARTED")}`;
 * ```
 */
export function constants<Value extends string = never>(...values: readonly NoInfer<Value>[]): Sql {
  for (const value of values) {
    if (!/^\w+$/.test(value))
      throw new TypeError(`A constant of a statement must be a word; got "${value}".`);
  }
  return new Sql([values.map((value) => `'${value}'`).join(", ")], []);
}

/** A statement's SQL in a dialect, and the values to bind, in order. */
export interface Rendered {
  readonly text: string;
  readonly values: readonly SqlValue[];
}

export function render(query: Sql, dialect: Dialect): Rendered {
  const values: SqlValue[] = [];
  const toText = <Value extends SqlValue>(value: Value): Value | string =>
    typeof value === "string" ? dialect.text(value) : value;
  const bind = (value: SqlValue): string => dialect.placeholder(values.push(value));
  const write = ({ strings, parts }: Sql): string =>
    strings.reduce((text, string, index) => text + writePart(parts[index - 1] ?? null) + string);
  const writePart = (part: Part): string => {
    if (part instanceof Sql) return write(part);
    if (part instanceof DialectWord) return dialect[part.word];
    if (part instanceof ValueList) return dialect.list(bind(dialect.listValue(part.values)), part.of);
    if (part instanceof SearchedWords) return dialect.searchedWords(part.words, bind);
    if (part instanceof TermCondition) return dialect.searchTerm(part.term, bind);
    return bind(toText(part));
  };
  return { text: write(query), values };
}
