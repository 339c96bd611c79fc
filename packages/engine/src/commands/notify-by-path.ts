import { isRunId } from "@perdure/core/protocol";
import { toId } from "../rules/field.ts";
import { latestRun } from "../store/tables/runs.ts";
import type { Tx } from "../store/tx.ts";
import type { NotifyResult } from "../store/waits.ts";
import { notifyEvent } from "./notify-event.ts";

/** An event whose path may begin with a run's id, decoded. */
export interface EventPath {
  /** The part before the first slash. */
  readonly runId: string;
  /** The part behind it. */
  readonly eventId: string;
  /** All of it: the event's id, unless a run has the id in front of it. */
  readonly whole: string;
}

/**
 * Hands over an event whose id may hold a slash that wasn't escaped: the part before it is a run's id only if there is
 * such a run.
 */
export async function notifyByPath(tx: Tx, path: EventPath, data: Uint8Array): Promise<NotifyResult> {
  const { runId, eventId, whole } = path;
  const known = isRunId(runId) || (await latestRun(tx, runId)) !== undefined;
  return notifyEvent(
    tx,
    known ? { runId, eventId: toId(eventId, "event id"), data } : { eventId: toId(whole, "event id"), data },
  );
}
