import { decodeCapabilities } from "@perdure/core/protocol";
import { fromBase64 } from "../rules/bytes.ts";
import { cancelMessage } from "../rules/failure.ts";
import { history } from "../store/tables/entries.ts";
import { runOf } from "../store/tables/runs.ts";
import type { Tx } from "../store/tx.ts";
import { deferReport } from "./in-flight.ts";
import { insertMessage } from "./insert-message.ts";

/** Stores the report of a run's cancellation, if the run's endpoint has asked for it. */
export async function reportCancellation(tx: Tx, key: number): Promise<void> {
  const run = await runOf(tx, key);
  if (!run?.capabilities || !decodeCapabilities(run.capabilities).onCancel) return;
  const [first] = await history(tx, key);
  const message = cancelMessage(run, fromBase64(first?.body ?? ""), tx.now);
  await deferReport(tx, key, await insertMessage(tx, message, { run: key }));
}
