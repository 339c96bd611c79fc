import { toBase64Url } from "./bytes.ts";
import { mustBe } from "./check.ts";

/** Creates an id of 126 random bits, from the platform's secure source, in 21 characters. */
export function randomId(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(16))).slice(0, 21);
}

/**
 * Creates a run's id: `wfr_` and a name, which is random by default.
 *
 * @throws TypeError for a name that doesn't fit into a filter or a header
 */
export function toRunId(name: string = randomId()): string {
  if (typeof name !== "string" || !/^[!-+\--~]{1,508}$/.test(name))
    throw mustBe("workflowRunId", "1 to 508 visible ASCII characters without a comma", name);
  return `wfr_${name}`;
}
