import { isRunId } from "@perdure/core/protocol";
import { toEventId } from "../rules/field.ts";
import { latestRun } from "../store/tables/runs.ts";
import type { Tx } from "../store/tx.ts";
import type { NotifyResult } from "../store/waits.ts";
import { notifyEvent } from "./notify-event.ts";

/** The decoded path of an event, which may begin with a run's id. */
export interface EventPath {
  /** The part before the first slash. */
  readonly runId: string;
  /** The part after the first slash. */
  readonly eventId: string;
  /** The whole path: the event's id, unless a run has the id before the first slash. */
  readonly whole: string;
}

/**
 * Delivers an event whose id may contain an unescaped slash: the part before the slash is a run's id only if such a run
 * exists.
 */
export async function notifyByPath(tx: Tx, path: EventPath, data: Uint8Array): Promise<NotifyResult> {
  const { runId, eventId, whole } = path;
  const known = isRunId(runId) || (await latestRun(tx, runId)) !== undefined;
  return notifyEvent(
    tx,
    known
      ? { runId, eventId: toEventId(eventId, "event id"), data }
      : { eventId: toEventId(whole, "event id"), data },
  );
}
