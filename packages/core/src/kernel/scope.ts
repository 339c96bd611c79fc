/** Tells whether code runs, also after an `await`, on behalf of somebody. */
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

/** What the platform can do; {@link blindScope} where it can do nothing of the kind. */
export function createScope(): Scope {
  const platform = globalThis as Platform;
  // Asked for at run time and not imported: most runtimes have it, and none needs it.
  const hooks = platform.process?.getBuiltinModule?.("node:async_hooks");
  const AsyncLocalStorage = hooks?.AsyncLocalStorage ?? platform.AsyncLocalStorage;
  return AsyncLocalStorage ? new AsyncLocalStorage() : blindScope;
}

/** Can't follow code across an `await`, and never tells of anybody. */
export const blindScope: Scope = {
  getStore: () => undefined,
  run: (_owner, work) => work(),
};
