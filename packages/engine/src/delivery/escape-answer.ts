import { bodyOf, escapeBody } from "../rules/call-record.ts";
import type { Settlement } from "../rules/settlement.ts";
import type { Claim } from "../store/claims.ts";
import { createTimeSlices } from "../store/time-slices.ts";
import type { MemoryReservation } from "./memory-budget.ts";

/** Bytes of an answer that the store escapes itself, within its transaction. */
const SMALL = 64 * 1024;

/**
 * Escapes a large answer to a call for the record that the engine makes of it: in slices, and before the transaction
 * that stores the record, so that neither other requests nor other transactions wait. Returns every other settlement as
 * it is.
 */
export async function escapeAnswer(
  claim: Claim,
  settlement: Settlement,
  memory: MemoryReservation,
): Promise<Settlement> {
  if (settlement.kind !== "called") return settlement;
  const { end } = settlement;
  const body = bodyOf(end);
  // An endpoint makes the record itself if its run's history has an entry for the call.
  const isRecordedHere = claim.entries.length === 0 || end.recordedByEngine;
  if (body.length <= SMALL || !isRecordedHere) return settlement;
  const pause = createTimeSlices();
  const parts: Uint8Array[] = [];
  for (const part of escapeBody(body)) {
    await memory.take(part.length);
    parts.push(part);
    await pause();
  }
  return { ...settlement, end: { ...end, escapedBody: parts } };
}
