import { decodeCapabilities } from "@perdure/core/protocol";
import type { MessageKind } from "../rules/message.ts";
import { retryPolicy } from "../rules/policy.ts";
import { isLive } from "../rules/run.ts";
import type { EndpointFacts } from "../rules/settlement.ts";
import { type RunRow, toRun } from "../store/tables/rows.ts";
import { constants, sql, type Tx } from "../store/tx.ts";

/** Records in a run what an answer says about the run's endpoint. */
export async function recordEndpoint(
  tx: Tx,
  run: number,
  { capabilities, identified }: EndpointFacts,
): Promise<void> {
  if (identified) await tx.run(sql`UPDATE runs SET identified = 1 WHERE key = ${run} AND identified = 0`);
  if (capabilities !== undefined) await recordCapabilities(tx, run, capabilities);
}

/**
 * Stores the capabilities of a run's endpoint:
 *
 * 1. The run keeps them.
 * 2. The messages of the run that aren't at their end get the retry policy that follows from them.
 * 3. A live run without a time limit gets the endpoint's.
 */
async function recordCapabilities(tx: Tx, key: number, capabilities: string): Promise<void> {
  const row = await tx.one<RunRow>(
    sql`UPDATE runs SET capabilities = ${capabilities} WHERE key = ${key} RETURNING *`,
  );
  if (!row) return;
  const run = toRun(row);
  for (const [kind, kinds] of POLICIES) {
    const { retries, retryDelay } = retryPolicy(run, kind);
    if (retries === undefined && retryDelay === undefined) continue;
    await tx.run(
      sql`UPDATE messages SET max_retries = coalesce(${retries ?? null}, max_retries),
        retry_delay = coalesce(${retryDelay ?? null}, retry_delay)
        WHERE seq IN (SELECT message FROM due WHERE run = ${key} AND kind IN (${constants<MessageKind>(...kinds)}))`,
    );
  }
  const { timeout } = decodeCapabilities(capabilities);
  if (timeout === undefined || row.deadline !== null || !isLive(run)) return;
  const deadline = row.created_at + Math.round(timeout * 1000);
  await tx.run(sql`UPDATE runs SET deadline = ${deadline} WHERE key = ${key}`);
  tx.wakeAt(deadline);
}

/** The kinds of a run's messages that have the same retry policy, by a kind that {@link retryPolicy} takes. */
const POLICIES: readonly (readonly [kind: MessageKind, kinds: readonly MessageKind[]])[] = [
  ["step", ["step", "answer", "rollback", "cancel"]],
  ["failure", ["failure"]],
];
