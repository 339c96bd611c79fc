import { notFound } from "../rules/engine-error.ts";
import type { Driver } from "../store/driver.ts";
import type { Tx } from "../store/tx.ts";

/** The objects that all operations of one engine on one database share. */
export interface Binding {
  readonly driver: Driver;
  /** The name of the engine in its leases. */
  readonly owner: string;
  /** Bytes of an answer that the record of a failed attempt keeps. */
  readonly excerptBytes: number;
}

/** An operation that waits for its database. */
export type Operation<Args extends readonly unknown[], Result> = (
  to: Binding,
) => (...args: Args) => Promise<Result>;

type Bound<Table extends object> = {
  [Name in keyof Table]: Table[Name] extends (to: Binding) => infer Operation ? Operation : never;
};

/** Binds the operations of a table to a database. */
export function bindAll<Table extends Readonly<Record<string, (to: Binding) => unknown>>>(
  table: Table,
  to: Binding,
): Bound<Table> {
  const bound = Object.entries(table).map(([name, bind]) => [name, bind(to)]);
  return Object.fromEntries(bound) as Bound<Table>;
}

/** An operation that changes something, in one transaction. */
export function command<Args extends readonly unknown[], Result>(
  run: (tx: Tx, ...args: Args) => Promise<Result>,
): Operation<Args, Result> {
  return ({ driver }) =>
    (...args) =>
      driver.write((tx) => run(tx, ...args));
}

/**
 * A query of one thing, which the error for a missing one names.
 *
 * @param nameOf returns a name such as `queue mails`
 */
export function queryOne<Args extends readonly unknown[], Result>(
  run: (tx: Tx, ...args: Args) => Promise<Result | undefined>,
  nameOf: (...args: Args) => string,
): Operation<Args, Result> {
  return query(async (tx, ...args: Args) => {
    const found = await run(tx, ...args);
    if (found === undefined) throw notFound(nameOf(...args));
    return found;
  });
}

/** An operation that changes nothing, on one consistent view. */
export function query<Args extends readonly unknown[], Result>(
  run: (tx: Tx, ...args: Args) => Promise<Result>,
): Operation<Args, Result> {
  return ({ driver }) =>
    (...args) =>
      driver.read((tx) => run(tx, ...args));
}

/**
 * A query whose duration depends on its filters and on the size of the database. It never holds up a delivery, and
 * has a time limit.
 */
export function list<Args extends readonly unknown[], Result>(
  run: (tx: Tx, ...args: Args) => Promise<Result>,
): Operation<Args, Result> {
  return ({ driver }) =>
    (...args) =>
      driver.list((tx) => run(tx, ...args));
}
