import { checkFunction } from "../kernel/check.ts";
import { checkPolicy, type StepOptions } from "./policy.ts";
import { checkName, type Step, serialize } from "./step.ts";

/** Runs a function once and records what it returns. */
export function run<Result>(
  name: string,
  work: () => Result | Promise<Result>,
  options: StepOptions<Result> = {},
): Step<Result> {
  checkName(name);
  checkPolicy(name, options as StepOptions<never>);
  checkFunction(`The second argument of step "${name}"`, work);
  return {
    name,
    type: "Run",
    options: options as StepOptions,
    perform: async () => serialize(await work(), `The result of step "${name}"`),
  };
}
