import { keyOf } from "@perdure/core/protocol";
import type { MessageKind } from "../rules/message.ts";
import type { Outcome } from "../rules/message-status.ts";
import type { RunQuery } from "../store/lists.ts";
import { STATE } from "../store/tables/rows.ts";
import { constants, type Sql, sql, strings } from "../store/tx.ts";
import { Conditions } from "./conditions.ts";

const DELIVERED = constants<Outcome>("DELIVERED");

/** The conditions of a query's filters on the table `runs`, without the place of its page. */
export function runConditions(query: RunQuery): Conditions {
  const where = new Conditions();
  where.oneOf(sql`id`, query.ids);
  where.beginsWith(sql`id`, query.idPrefixes);
  where.oneOf(sql`url`, query.urls);
  where.startsWith(sql`url`, query.urlPrefixes);
  where.oneOf(sql`host`, query.hosts);
  where.oneOf(sql`path`, query.paths);
  where.oneOf(sql`state`, query.states);
  if (query.stepStates) where.all(sql`key IN (${stepsIn(query.stepStates)})`);
  if (query.labels) where.all(sql`key IN (${labelled(query.labels)})`);
  where.oneOf(sql`caller_ip`, query.callerIps);
  where.oneOf(sql`flow_key`, query.flowKeys);
  if (query.messageIds) {
    where.all(sql`key IN (SELECT run FROM entries WHERE message IN (${strings(query.messageIds)}))`);
  }
  where.namedBy(query.runs);
  where.is(sql`created_at =`, query.createdAt);
  where.is(sql`created_at >=`, query.from);
  where.is(sql`created_at <=`, query.to);
  if (query.inDeadLetterQueue) where.all(sql`dlq_id IS NOT NULL`);
  exclude(where, query);
  return where;
}

function exclude(where: Conditions, { without = {} }: RunQuery): void {
  if (without.states) where.all(sql`state NOT IN (${strings(without.states)})`);
  if (without.urls) where.all(sql`url NOT IN (${strings(without.urls)})`);
  if (without.labels) where.all(sql`key NOT IN (${labelled(without.labels)})`);
  where.beginsWithNone(sql`id`, without.idPrefixes);
}

const labelled = (labels: readonly string[]): Sql =>
  sql`SELECT run FROM run_labels WHERE label IN (${strings(labels)})`;

/**
 * Runs that have a step in a state. The engine soon deletes the messages of recorded steps, and keeps their
 * records.
 */
const stepsIn = (
  states: readonly string[],
): Sql => sql`SELECT one.key FROM runs AS one, (${strings(states)}) AS wanted
  WHERE CASE wanted.value
  WHEN ${DELIVERED} THEN EXISTS (SELECT 1 FROM entries WHERE run = one.key AND record LIKE ${keyOf("result", "%")})
  ELSE EXISTS (SELECT 1 FROM messages LEFT JOIN due ON due.message = messages.seq WHERE messages.run = one.key
    AND messages.kind IN (${constants<MessageKind>("step", "call", "answer")}) AND ${STATE} = wanted.value) END`;
