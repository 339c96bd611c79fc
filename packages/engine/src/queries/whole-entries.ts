import type { HistoryEntry } from "@perdure/core/protocol";
import type { Claim } from "../store/claims.ts";
import { historyInSlices } from "../store/tables/entries.ts";
import type { MessageRow } from "../store/tables/rows.ts";
import { sql, type Tx } from "../store/tx.ts";

/** The entries of a claim with all their bodies: the claim itself omits large bodies. */
export async function wholeEntries(tx: Tx, { lease }: Claim): Promise<HistoryEntry[]> {
  const row = await tx.one<Pick<MessageRow, "run" | "entry" | "kind">>(
    sql`SELECT run, entry, kind FROM messages WHERE seq = ${lease.seq}`,
  );
  if (!row || row.run === null || row.entry === null) return [];
  const first = row.kind === "step" ? 0 : row.entry;
  return await historyInSlices(tx, row.run, { first, last: row.entry });
}
