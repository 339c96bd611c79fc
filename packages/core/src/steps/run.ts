import { checkName, type Step, serialize } from "./step.ts";

/** Runs a function once and records what it returns. */
export function run<Result>(name: string, work: () => Result | Promise<Result>): Step<Result> {
  checkName(name);
  if (typeof work !== "function") {
    throw new TypeError(`Step "${name}" needs a function as its second argument; got ${typeof work}.`);
  }
  return {
    name,
    type: "Run",
    work: { kind: "perform", perform: async () => serialize(await work(), `The result of step "${name}"`) },
  };
}
