import { numbers, sql, strings, type Tx } from "../store/tx.ts";

/** The properties by which a stream of events chooses runs. */
export interface RunFacts {
  readonly url: string;
  readonly labels: readonly string[];
}

/** The URLs and labels of the newest runs of these ids, in two statements. */
export async function runFacts(tx: Tx, ids: readonly string[]): Promise<Map<string, RunFacts>> {
  const rows = await tx.all<{ key: number; id: string; url: string }>(
    sql`SELECT key, id, url FROM runs WHERE id IN (${strings(ids)}) ORDER BY key`,
  );
  const labels = await tx.all<{ run: number; label: string }>(
    sql`SELECT run, label FROM run_labels WHERE run IN (${numbers(rows.map(({ key }) => key))})`,
  );
  return new Map(
    rows.map(({ key, id, url }) => [
      id,
      { url, labels: labels.filter(({ run }) => run === key).map(({ label }) => label) },
    ]),
  );
}
