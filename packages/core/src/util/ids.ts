import { toBase64Url } from "./bytes.ts";
import { mustBe } from "./check.ts";

/** 126 random bits from the platform's secure source, as 21 characters. */
export function randomId(): string {
  return toBase64Url(crypto.getRandomValues(new Uint8Array(16))).slice(0, 21);
}

/**
 * A run's id as it travels: `wfr_` and the given or a random name.
 *
 * @throws TypeError for a name that a filter or a header could not carry
 */
export function toRunId(name: string = randomId()): string {
  if (typeof name !== "string" || !/^[!-+\--~]{1,508}$/.test(name))
    throw mustBe("workflowRunId", "1 to 508 visible ASCII characters without a comma", name);
  return `wfr_${name}`;
}
