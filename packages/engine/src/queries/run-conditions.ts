import { type CallType, keyOf } from "@perdure/core/protocol";
import type { MessageKind, MessageState } from "../rules/message.ts";
import type { Outcome } from "../rules/message-status.ts";
import type { RunState } from "../rules/run.ts";
import type { SearchTerm } from "../rules/search.ts";
import type { RunQuery } from "../store/lists.ts";
import { STATE } from "../store/tables/rows.ts";
import { constants, type Sql, sql, strings, TermCondition } from "../store/tx.ts";
import { Conditions } from "./conditions.ts";

const DELIVERED = constants<Outcome>("DELIVERED");
const RETRY = constants<MessageState>("RETRY");

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
  for (const term of query.search ?? []) where.all(sql`key IN (${having(term)})`);
  // The texts of a run that had the key before aren't this run's.
  if (query.search) {
    where.all(
      sql`EXISTS (SELECT 1 FROM search_runs WHERE search_runs.run = key AND search_runs.created_at = runs.created_at)`,
    );
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

/** The runs with a text that has a term. The key of a text begins with that of its run. */
const having = (term: SearchTerm): Sql =>
  sql`SELECT rowid >> 20 FROM search_texts WHERE ${new TermCondition(term)}`;

/** Whether a message of a run's step is in the wanted state. */
const hasMessage = sql`EXISTS (SELECT 1 FROM messages LEFT JOIN due ON due.message = messages.seq
  WHERE messages.run = one.key AND messages.kind IN (${constants<MessageKind>("step", "call", "answer")})
    AND ${STATE} = wanted.value)`;

/** Whether a step that ran inline waits for its retry: it has failed, and no result of it has followed. */
const retriesInline = sql`(one.state = ${constants<RunState>("RUN_STARTED")} AND EXISTS (SELECT 1 FROM entries AS attempt
  WHERE attempt.run = one.key AND attempt.call_type = ${constants<CallType>("attempt")}
    AND NOT EXISTS (SELECT 1 FROM entries AS later WHERE later.run = attempt.run AND later.step = attempt.step
      AND later.position > attempt.position AND later.record LIKE ${keyOf("result", "%")})))`;

/**
 * Runs that have a step in a state. The engine soon deletes the messages of recorded steps, and keeps their
 * records.
 */
const stepsIn = (
  states: readonly string[],
): Sql => sql`SELECT one.key FROM runs AS one, (${strings(states)}) AS wanted
  WHERE CASE wanted.value
  WHEN ${DELIVERED} THEN EXISTS (SELECT 1 FROM entries WHERE run = one.key AND record LIKE ${keyOf("result", "%")})
  WHEN ${RETRY} THEN ${retriesInline} OR ${hasMessage}
  ELSE ${hasMessage} END`;
