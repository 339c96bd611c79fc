import type { DueStatus } from "../rules/message-status.ts";
import type { OpenWait, Page, PendingQuery, UnfinishedMessage, WaitQuery } from "../store/lists.ts";
import { IS_UNFINISHED } from "../store/tables/due.ts";
import { toWait } from "../store/tables/waiters.ts";
import { sql, type Tx } from "../store/tx.ts";
import { Conditions, page } from "./conditions.ts";

interface OpenWaitRow {
  readonly seq: number;
  readonly event: string;
  readonly wait: string;
  readonly created_at: number;
  readonly deadline: number;
  readonly webhook: number;
  readonly run: string;
  readonly url: string;
  readonly run_created_at: number;
}

/** The steps that wait for events and webhooks, the latest first. */
export async function openWaits(tx: Tx, query: WaitQuery): Promise<Page<OpenWait>> {
  const where = new Conditions();
  where.all(sql`waiters.open = 1`);
  where.all(sql`waiters.event IS NOT NULL`);
  where.oneOf(sql`waiters.event`, query.eventIds);
  where.oneOf(sql`runs.id`, query.runIds);
  where.oneOf(sql`runs.url`, query.urls);
  where.is(sql`waiters.seq <`, query.before);
  const rows = await tx.all<OpenWaitRow>(
    sql`SELECT waiters.seq, waiters.event, waiters.wait, waiters.created_at, waiters.deadline, runs.id AS run, runs.url,
        runs.created_at AS run_created_at,
        (SELECT count(*) FROM webhooks WHERE webhooks.run = waiters.run AND webhooks.event = waiters.event) AS webhook
      FROM waiters JOIN runs ON runs.key = waiters.run ${where.sql} ORDER BY waiters.seq DESC LIMIT ${query.count + 1}`,
  );
  const shown = page(rows, query.count, ({ seq }) => seq);
  const items = shown.rows.map((row) => ({
    eventId: row.event,
    stepName: toWait(row).step.stepName,
    isWebhook: row.webhook > 0,
    run: { id: row.run, url: row.url, createdAt: row.run_created_at },
    createdAt: row.created_at,
    deadline: row.deadline,
  }));
  return { items, next: shown.next };
}

interface UnfinishedRow {
  readonly seq: number;
  readonly id: string;
  readonly kind: UnfinishedMessage["kind"];
  readonly url: string;
  readonly status: DueStatus;
  readonly at: number | null;
  readonly since: number | null;
  readonly retried: number;
  readonly max_retries: number;
  readonly queue: string | null;
  readonly flow_key: string | null;
  readonly run: string | null;
  readonly run_created_at: number | null;
}

/** The messages that aren't at their end, the earliest first: the order in which a queue delivers them. */
export async function unfinishedMessages(tx: Tx, query: PendingQuery): Promise<Page<UnfinishedMessage>> {
  const where = new Conditions();
  where.all(IS_UNFINISHED);
  where.oneOf(sql`due.queue`, query.queues);
  where.oneOf(sql`due.flow_key`, query.flowKeys);
  where.oneOf(sql`due.status`, query.statuses);
  where.oneOf(sql`runs.id`, query.runIds);
  where.is(sql`due.message >`, query.after);
  const rows = await tx.all<UnfinishedRow>(
    sql`SELECT messages.seq, messages.id, messages.kind, messages.url, due.status, due.at, due.since, due.retried,
        messages.max_retries, due.queue, due.flow_key, runs.id AS run, runs.created_at AS run_created_at
      FROM due JOIN messages ON messages.seq = due.message LEFT JOIN runs ON runs.key = due.run
      ${where.sql} ORDER BY due.message LIMIT ${query.count + 1}`,
  );
  const shown = page(rows, query.count, ({ seq }) => seq);
  const items = shown.rows.map((row) => ({
    id: row.id,
    kind: row.kind,
    url: row.url,
    status: row.status,
    dueAt: row.since ?? row.at ?? undefined,
    attempt: row.retried + 1,
    maxRetries: row.max_retries,
    queue: row.queue ?? undefined,
    flowKey: row.flow_key ?? undefined,
    run:
      row.run === null || row.run_created_at === null
        ? undefined
        : { id: row.run, createdAt: row.run_created_at },
  }));
  return { items, next: shown.next };
}
