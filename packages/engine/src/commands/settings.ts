import { randomUUID } from "node:crypto";
import { sql, type Tx } from "../store/tx.ts";

export async function setting(tx: Tx, name: string): Promise<string | undefined> {
  return (await tx.one<{ value: string }>(sql`SELECT value FROM settings WHERE name = ${name}`))?.value;
}

/** Writes it if it is what it was said to be. */
export async function changeSetting(
  tx: Tx,
  name: string,
  was: string | undefined,
  value: string,
): Promise<boolean> {
  await tx.lock("setting", name);
  if ((await setting(tx, name)) !== was) return false;
  await tx.run(
    sql`INSERT INTO settings (name, value) VALUES (${name}, ${value}) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
  );
  return true;
}

/** 36 KB, new ones each time: a database doesn't write what is there already. */
const PROBE_REPEATS = 1000;

/** Writes something of no meaning. @throws StoreUnavailable while nothing can be stored */
export async function probe(tx: Tx): Promise<void> {
  const value = randomUUID().repeat(PROBE_REPEATS);
  await tx.run(
    sql`INSERT INTO settings (name, value) VALUES ('probe', ${value}) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
  );
}
