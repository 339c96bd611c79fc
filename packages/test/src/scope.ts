import { AsyncLocalStorage } from "node:async_hooks";
import type { RuntimeHost } from "@perdure/core/testing";

/** The runtime looks for the scope under this name, so that all copies of the packages share it. */
const KEY: unique symbol = Symbol.for("perdure.test") as never;

type Registry = { [KEY]?: AsyncLocalStorage<Surroundings> };

/** The surroundings of code that a test runs. */
export interface Surroundings extends RuntimeHost {
  /** Whether `Date` tells the test's time. */
  readonly fakesDate: boolean;
}

function storage(): AsyncLocalStorage<Surroundings> {
  const registry = globalThis as Registry;
  registry[KEY] ??= new AsyncLocalStorage();
  return registry[KEY];
}

/** Runs code, and everything that it awaits, in a test's surroundings. */
export function inScope<Result>(surroundings: Surroundings, work: () => Result): Result {
  return storage().run(surroundings, work);
}

/** The surroundings of the running code; undefined outside of a test's scope. */
export function currentScope(): Surroundings | undefined {
  return storage().getStore();
}
