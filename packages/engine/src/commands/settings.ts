import { randomUUID } from "node:crypto";
import { sql, type Tx } from "../store/tx.ts";

/** A setting, as it was last written. */
export async function readSetting(tx: Tx, name: string): Promise<string | undefined> {
  return (await tx.one<{ value: string }>(sql`SELECT value FROM settings WHERE name = ${name}`))?.value;
}

/** Writes a setting whose value still is `was`. @returns whether it did */
export async function changeSetting(
  tx: Tx,
  name: string,
  was: string | undefined,
  value: string,
): Promise<boolean> {
  await tx.lock("setting", name);
  if ((await readSetting(tx, name)) !== was) return false;
  await tx.run(
    sql`INSERT INTO settings (name, value) VALUES (${name}, ${value}) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
  );
  return true;
}

/** Repeats of a random id: 36 KB, new each time, because a database need not write a value that it has already. */
const PROBE_REPEATS = 1000;

/** Checks that the database can be written, by writing a random value. @throws StoreUnavailable while it can't */
export async function checkWritable(tx: Tx): Promise<void> {
  const value = randomUUID().repeat(PROBE_REPEATS);
  await tx.run(
    sql`INSERT INTO settings (name, value) VALUES ('probe', ${value}) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
  );
}
