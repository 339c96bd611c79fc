import { checkFunction } from "../util/check.ts";
import type { Jsonify, OnlyJson } from "../util/jsonify.ts";
import { checkOptions } from "../util/options.ts";
import { checkPolicy, type StepOptions } from "./policy.ts";
import { type Step, serialize } from "./step.ts";

/** The work of a step. JSON must be able to contain its result. */
export type StepWork<Result> = (() => Result | Promise<Result>) & OnlyJson<Result>;

/** Runs a function once and records what it returns. */
export function run<Result>(
  name: string,
  work: StepWork<Result>,
  options: StepOptions<Jsonify<Result>> = {},
): Step<Jsonify<Result>> {
  checkOptions(
    `step "${name}"`,
    options,
    "retries retryDelay onExhausted rollback rollbackRetries rollbackRetryDelay rollbackTimeout",
  );
  checkPolicy(options as StepOptions<never>);
  checkFunction("The second argument", work);
  return {
    name,
    type: "Run",
    options: options as StepOptions,
    perform: async () => serialize(await work(), `The result of step "${name}"`),
  };
}
