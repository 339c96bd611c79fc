import type { WebhookHit } from "@perdure/core/protocol";
import type { Step } from "../api/types.ts";
import { parseJson } from "../format/json.ts";

type Result = Pick<Step, "stepType" | "out">;

/** Returns a step's result as text. Waits record theirs in base64: the data of an event, or a webhook's whole request. */
export function resultText(step: Result): string | undefined {
  const hit = hitOf(step);
  if (hit) {
    const body = decode(hit.body) ?? hit.body;
    return JSON.stringify({ ...hit, body: parseJson(body) ?? body });
  }
  return (step.stepType === "Wait" && decode(step.out)) || step.out;
}

/** Returns the part of a step's result that can be replaced when its run is resumed; of a webhook's request, the body. */
export function editableResult(step: Result): string | undefined {
  const hit = hitOf(step);
  return hit ? decode(hit.body) : resultText(step);
}

function hitOf({ stepType, out }: Result): WebhookHit | undefined {
  return stepType === "WaitForWebhook" ? (parseJson(decode(out)) as WebhookHit | undefined) : undefined;
}

/** @returns undefined for a result that is hidden or redacted */
function decode(base64: string | undefined): string | undefined {
  try {
    return (
      base64 &&
      new TextDecoder().decode(Uint8Array.from(atob(base64), (character) => character.charCodeAt(0)))
    );
  } catch {
    return undefined;
  }
}
