import { answers } from "./differences/answers.ts";
import { client } from "./differences/client.ts";
import { failures } from "./differences/failures.ts";
import { runs } from "./differences/runs.ts";
import { starts } from "./differences/starts.ts";
import { steps } from "./differences/steps.ts";
import type { Row } from "./support/explain.ts";

/**
 * Everything in which we aren't as `@upstash/workflow` 1.3.3 is, and why. The suite fails for a difference that isn't here,
 * and for a line here that is no difference any more. What users have to know of it stands in docs/migrating.md.
 */
export const differences: readonly Row[] = [...answers, ...starts, ...runs, ...steps, ...failures, ...client];
