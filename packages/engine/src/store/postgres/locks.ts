import { type LockKind, type Part, type Sql, sql, strings } from "../tx.ts";

/** The two numbers of an advisory lock. Engines with tables in other schemas of the database have locks of their own. */
function numbersOf(kind: LockKind, key: Part): Sql {
  return sql`hashtext(current_schema || CAST(${kind} AS text)), hashtext(CAST(${key} AS text))`;
}

const KEY = sql`value`;

/** Takes locks, one after the other, once they are free. */
export function takeLocks(kind: LockKind, keys: readonly string[]): Sql {
  const [key = "", ...more] = keys;
  if (more.length === 0) return sql`SELECT pg_advisory_xact_lock(${numbersOf(kind, key)})`;
  return sql`SELECT pg_advisory_xact_lock(${numbersOf(kind, KEY)}) FROM (${strings(keys)}) AS keys`;
}

/** The condition that no other transaction has a lock: this one has it from now on. */
export function isFree(kind: LockKind, key: Part): Sql {
  return sql`pg_try_advisory_xact_lock(${numbersOf(kind, key)})`;
}

/** Takes the locks that no other transaction has. Returns for each key, in their order, whether it is `taken`. */
export function tryLocks(kind: LockKind, keys: readonly string[]): Sql {
  const [key = "", ...more] = keys;
  if (more.length === 0) return sql`SELECT ${isFree(kind, key)} AS taken`;
  return sql`SELECT ${isFree(kind, KEY)} AS taken FROM (${strings(keys)}) AS keys`;
}
