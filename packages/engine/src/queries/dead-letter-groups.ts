import type { DeadLetterGroup, DeadLetterQuery, Page } from "../store/lists.ts";
import { numbers, sql, type Tx } from "../store/tx.ts";
import { page } from "./conditions.ts";
import { deadLetterConditions, LETTERS } from "./lists.ts";

interface Counted {
  readonly latest: number;
  readonly count: number;
  readonly first_at: number;
  readonly last_at: number;
}

interface LetterRow {
  readonly seq: number;
  readonly id: string;
  readonly fingerprint: string;
  readonly error_name: string;
  readonly pattern: string;
  readonly step: string | null;
  readonly url: string;
  readonly run: string | null;
}

/** The groups of dead letters with errors that differ only in their values, the most recent first. */
export async function deadLetterGroups(tx: Tx, query: DeadLetterQuery): Promise<Page<DeadLetterGroup>> {
  const where = deadLetterConditions(query);
  where.all(sql`dlq.fingerprint IS NOT NULL`);
  const { before = Number.MAX_SAFE_INTEGER, count } = query;
  const rows = await tx.all<Counted>(
    sql`SELECT max(dlq.seq) AS latest, count(*) AS count, min(dlq.created_at) AS first_at, max(dlq.created_at) AS last_at
      FROM ${LETTERS} ${where.sql} GROUP BY dlq.fingerprint HAVING max(dlq.seq) < ${before}
      ORDER BY max(dlq.seq) DESC LIMIT ${count + 1}`,
  );
  const shown = page(rows, count, ({ latest }) => latest);
  const letters = await tx.all<LetterRow>(
    sql`SELECT dlq.seq, dlq.id, dlq.fingerprint, dlq.error_name, dlq.pattern, dlq.step, messages.url, runs.id AS run
      FROM ${LETTERS} WHERE dlq.seq IN (${numbers(shown.rows.map(({ latest }) => latest))})`,
  );
  const bySeq = new Map(letters.map((letter) => [letter.seq, letter]));
  const items = shown.rows.flatMap((row): DeadLetterGroup[] => {
    const letter = bySeq.get(row.latest);
    if (!letter) return [];
    return [
      {
        fingerprint: letter.fingerprint,
        errorName: letter.error_name,
        pattern: letter.pattern,
        step: letter.step ?? undefined,
        url: letter.url,
        count: row.count,
        firstAt: row.first_at,
        lastAt: row.last_at,
        dlqId: letter.id,
        runId: letter.run ?? undefined,
      },
    ];
  });
  return { items, next: shown.next };
}
