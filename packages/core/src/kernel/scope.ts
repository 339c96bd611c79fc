/** Tells whether code runs, also after an `await`, on behalf of somebody. */
export interface Scope {
  /** False where the platform can't follow code across an `await`: `current` then always is undefined. */
  readonly available: boolean;
  current(): object | undefined;
  run<Result>(owner: object, work: () => Result): Result;
}

interface Storage {
  getStore(): object | undefined;
  run<Result>(store: object, work: () => Result): Result;
}

type StorageClass = new () => Storage;

interface Platform {
  /** Edge runtimes have the class as a global. */
  readonly AsyncLocalStorage?: StorageClass;
  readonly process?: {
    getBuiltinModule?(id: string): { readonly AsyncLocalStorage?: StorageClass } | undefined;
  };
}

function platformStorage(): Storage | undefined {
  const platform = globalThis as Platform;
  // Asked for at run time and not imported: most runtimes have it, and none needs it.
  const hooks = platform.process?.getBuiltinModule?.("node:async_hooks");
  const AsyncLocalStorage = hooks?.AsyncLocalStorage ?? platform.AsyncLocalStorage;
  return AsyncLocalStorage && new AsyncLocalStorage();
}

/** What the platform can do. */
export function createScope(): Scope {
  const storage = platformStorage();
  if (!storage) return blindScope;
  return {
    available: true,
    current: () => storage.getStore(),
    run: (owner, work) => storage.run(owner, work),
  };
}

/** For platforms that can do nothing of the kind. */
export const blindScope: Scope = {
  available: false,
  current: () => undefined,
  run: (_owner, work) => work(),
};
