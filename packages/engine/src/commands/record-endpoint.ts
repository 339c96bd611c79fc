import { decodeCapabilities } from "@perdure/core/protocol";
import type { MessageKind } from "../rules/message.ts";
import { retryPolicy } from "../rules/policy.ts";
import { isLive, type Run } from "../rules/run.ts";
import type { EndpointFacts } from "../rules/settlement.ts";
import type { MessageRow } from "../store/tables/rows.ts";
import { constants, sql, type Tx } from "../store/tx.ts";

/** Records in a run what an answer says about the run's endpoint. @returns the run with it */
export async function recordEndpoint(
  tx: Tx,
  run: Run,
  { capabilities = run.capabilities, identified }: EndpointFacts,
): Promise<Run> {
  const known = { ...run, capabilities, identified: run.identified || identified === true };
  const isNew = capabilities !== run.capabilities;
  if (!isNew && known.identified === run.identified) return run;
  tx.send(
    sql`UPDATE runs SET capabilities = ${capabilities ?? null}, identified = ${known.identified ? 1 : 0}
      WHERE key = ${run.key}`,
  );
  if (isNew && capabilities !== undefined) await applyCapabilities(tx, known, capabilities);
  return known;
}

/**
 * Applies the capabilities of a run's endpoint:
 *
 * 1. The messages of the run that aren't at their end get the retry policy that follows from them.
 * 2. A live run without a time limit gets the endpoint's.
 */
async function applyCapabilities(tx: Tx, run: Run, capabilities: string): Promise<void> {
  for (const [kind, kinds] of POLICIES) {
    const { retries, retryDelay } = retryPolicy(run, kind);
    if (retries === undefined && retryDelay === undefined) continue;
    tx.send(
      sql`UPDATE messages SET max_retries = coalesce(${retries ?? null}, max_retries),
        retry_delay = coalesce(${retryDelay ?? null}, retry_delay)
        WHERE seq IN (SELECT message FROM due WHERE run = ${run.key} AND kind IN (${constants<MessageKind>(...kinds)}))`,
    );
  }
  const { timeout } = decodeCapabilities(capabilities);
  if (timeout === undefined || !isLive(run)) return;
  const deadline = run.createdAt + Math.round(timeout * 1000);
  const changes = await tx.run(
    sql`UPDATE runs SET deadline = ${deadline} WHERE key = ${run.key} AND deadline IS NULL`,
  );
  if (changes > 0) tx.wakeAt(deadline);
}

/** A message with the policy that {@link recordEndpoint} has given to it. */
export function underPolicy(row: MessageRow, run: Run): MessageRow {
  const [kind] = POLICIES.find(([, kinds]) => kinds.includes(row.kind)) ?? [];
  if (kind === undefined) return row;
  const { retries = row.max_retries, retryDelay = row.retry_delay } = retryPolicy(run, kind);
  return { ...row, max_retries: retries, retry_delay: retryDelay };
}

/** The kinds of a run's messages that have the same retry policy, by a kind that {@link retryPolicy} takes. */
const POLICIES: readonly (readonly [kind: MessageKind, kinds: readonly MessageKind[]])[] = [
  ["step", ["step", "answer", "rollback", "cancel"]],
  ["failure", ["failure"]],
];
