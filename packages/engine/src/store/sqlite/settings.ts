import type { Database } from "./database.ts";

export function setting(db: Database, name: string): string | undefined {
  return db.get<{ value: string }>("SELECT value FROM settings WHERE name = ?", name)?.value;
}

/** Writes it if it is what it was said to be. */
export function changeSetting(db: Database, name: string, was: string | undefined, value: string): boolean {
  if (setting(db, name) !== was) return false;
  db.run(
    "INSERT INTO settings (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    name,
    value,
  );
  return true;
}
