import { sql, type Tx } from "./tx.ts";
import { StoreUnavailable } from "./unavailable.ts";

/** The setting of a database whose data is elsewhere. Its value says where. */
const MOVED_TO = "moved_to";

/** Reads the address of the database to which the data has moved. */
export const MOVED: string = `SELECT value FROM settings WHERE name = '${MOVED_TO}'`;

/** Makes engines refuse the database from now on: two that go on with the same runs would deliver everything twice. */
export async function markMoved(tx: Tx, to: string): Promise<void> {
  await tx.run(sql`INSERT INTO settings (name, value) VALUES (${MOVED_TO}, ${to})`);
}

/** @param row the result of {@link MOVED} @throws StoreUnavailable when the data has moved */
export function refuseMoved(row: unknown): void {
  const { value } = Object(row) as { readonly value?: unknown };
  if (value !== undefined) {
    throw new StoreUnavailable(
      `The data of this database was moved to ${value}: start the engine with that database.`,
    );
  }
}
