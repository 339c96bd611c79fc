import { checkFunction } from "../util/check.ts";
import type { Jsonify, OnlyJson } from "../util/jsonify.ts";
import { checkOptions } from "../util/options.ts";
import { checkAtMostOnce, checkPolicy, type StepOptions } from "./policy.ts";
import { type Step, type StepAttempt, serialize } from "./step.ts";

/** The work of a step. JSON must be able to contain its result. */
export type StepWork<Result> = ((attempt: StepAttempt) => Result | Promise<Result>) & OnlyJson<Result>;

/** Runs a function once and records its result. */
export function run<Result>(
  name: string,
  work: StepWork<Result>,
  options: StepOptions<Jsonify<Result>> = {},
): Step<Jsonify<Result>> {
  checkOptions(
    `step "${name}"`,
    options,
    "retries retryDelay onExhausted atMostOnce rollback rollbackRetries rollbackRetryDelay rollbackTimeout",
  );
  checkPolicy(options as StepOptions<never>);
  checkAtMostOnce(options as StepOptions);
  checkFunction("The second argument", work);
  return {
    name,
    type: "Run",
    options: options as StepOptions,
    perform: async ({ attempt }) => serialize(await work(attempt), `The result of step "${name}"`),
  };
}
