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

/** The platform's own scope; {@link blindScope} where the platform has none. */
export function createScope(platform: Platform = globalThis as Platform): Scope {
  const AsyncLocalStorage = platform.AsyncLocalStorage ?? builtinStorage(platform);
  return AsyncLocalStorage ? new AsyncLocalStorage() : blindScope;
}

// The module is asked for at run time and not imported, because most runtimes have it and none needs it.
function builtinStorage({ process }: Platform): Platform["AsyncLocalStorage"] {
  try {
    return process?.getBuiltinModule?.("node:async_hooks")?.AsyncLocalStorage;
  } catch {
    return undefined; // An edge runtime may have Node's names and throw when one of them is called.
  }
}

/** Can't follow code across an `await`, and never tells of anybody. */
export const blindScope: Scope = {
  getStore: () => undefined,
  run: (_owner, work) => work(),
};
