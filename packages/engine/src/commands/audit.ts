import { Conditions, page } from "../queries/conditions.ts";
import type { AuditEntry, AuditQuery, Page } from "../store/lists.ts";
import { sql, type Tx } from "../store/tx.ts";

/** Adds a request that has changed something to the audit log. */
export async function recordAction(tx: Tx, entry: Omit<AuditEntry, "at">): Promise<void> {
  const { actor, person = null, action, target, callerIp } = entry;
  await tx.run(
    sql`INSERT INTO audit (at, actor, person, action, target, caller_ip)
      VALUES (${tx.now}, ${actor}, ${person}, ${action}, ${target}, ${callerIp})`,
  );
}

interface AuditRow extends Omit<AuditEntry, "callerIp" | "person"> {
  readonly seq: number;
  readonly person: string | null;
  readonly caller_ip: string;
}

/** The audit log, the latest entry first. */
export async function listActions(tx: Tx, query: AuditQuery): Promise<Page<AuditEntry>> {
  const where = new Conditions();
  where.oneOf(sql`actor`, query.actors);
  where.oneOf(sql`person`, query.persons);
  where.oneOf(sql`action`, query.actions);
  where.oneOf(sql`target`, query.targets);
  where.is(sql`at >=`, query.from);
  where.is(sql`at <=`, query.to);
  where.is(sql`seq <`, query.before);
  const rows = await tx.all<AuditRow>(
    sql`SELECT seq, at, actor, person, action, target, caller_ip FROM audit ${where.sql} ORDER BY seq DESC LIMIT ${query.count + 1}`,
  );
  const shown = page(rows, query.count, ({ seq }) => seq);
  return {
    items: shown.rows.map(({ seq: _, caller_ip: callerIp, person, ...entry }) => ({
      ...entry,
      person: person ?? undefined,
      callerIp,
    })),
    next: shown.next,
  };
}
