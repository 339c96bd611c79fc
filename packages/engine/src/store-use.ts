import type { Store } from "./commands/store.ts";

/** An engine's use of its store, from the engine's creation. */
export interface StoreUse {
  /** @throws TypeError when another engine has got the store since this use ended */
  goOn(): void;
  /** Lets another engine have the store. */
  end(): void;
}

/** Whether the engine that was last given a store uses it. The store tells its events to that engine only. */
const LAST_USES = new WeakMap<Store, { inUse: boolean }>();

/** @throws TypeError when an engine that hasn't stopped uses the store */
export function checkUnused(store: Store): void {
  if (!LAST_USES.get(store)?.inUse) return;
  throw new TypeError(
    "The store is in use by another engine: a store belongs to one engine, until that one is stopped. Engines that share a PostgreSQL database open it with openPostgres once for each engine.",
  );
}

export function useStore(store: Store): StoreUse {
  const own = { inUse: true };
  LAST_USES.set(store, own);
  return {
    goOn() {
      if (LAST_USES.get(store) !== own) {
        throw new TypeError("The engine's store was given to another engine: create an engine anew.");
      }
      own.inUse = true;
    },
    end() {
      own.inUse = false;
    },
  };
}
