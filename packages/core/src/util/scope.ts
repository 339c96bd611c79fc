import { safely } from "./check.ts";

/** Identifies the owner of running code, also after an `await`. */
export interface Scope {
  getStore(): object | undefined;
  run<Result>(owner: object, work: () => Result): Result;
}

interface Platform {
  /** Edge runtimes have the class as a global. */
  readonly AsyncLocalStorage?: new () => Scope;
  readonly process?: {
    getBuiltinModule?(id: string): Pick<Platform, "AsyncLocalStorage"> | undefined;
  };
}

/** Creates the platform's scope, or {@link blindScope} on a platform without one. */
export function createScope(platform: Platform = globalThis as Platform): Scope {
  const AsyncLocalStorage = platform.AsyncLocalStorage ?? builtinStorage(platform);
  return AsyncLocalStorage ? new AsyncLocalStorage() : blindScope;
}

// Not imported, because some runtimes lack the module, and the runtime works without it.
function builtinStorage({ process }: Platform): Platform["AsyncLocalStorage"] {
  // An edge runtime may have Node's functions and throw when they are called.
  return safely(() => process?.getBuiltinModule?.("node:async_hooks")?.AsyncLocalStorage);
}

/** A scope that never knows the owner, for platforms that can't track it across an `await`. */
export const blindScope: Scope = {
  getStore: () => undefined,
  run: (_owner, work) => work(),
};
