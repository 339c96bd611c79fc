import { openPostgres, type Store } from "@perdure/engine";
import { ON_POSTGRES } from "@perdure/test-support/mode";
import { emptyDatabase, newDatabase } from "@perdure/test-support/postgres-database";
import { openWithoutThreads } from "../../../packages/engine/src/open-sqlite.ts";

/** Databases that no engine uses now. */
const free: string[] = [];

/** The databases that stand for files. */
const databases = new Map<string, string>();

/**
 * Opens a store on the database of the vitest project that runs. On SQLite it has no threads, which take longer to begin than
 * most runs: an engine on a file needs `search: false`. On PostgreSQL, the path of a file is only a name.
 */
export async function openStore(file: string, now: () => number = Date.now): Promise<Store> {
  if (!ON_POSTGRES) return openWithoutThreads(file, { now }).store;
  const url = databases.get(file) ?? (await takeDatabase());
  const store = await openPostgres(`${url}&connections=4`);
  if (file !== ":memory:") {
    databases.set(file, url);
    return store;
  }
  return { ...store, close: () => store.close().then(() => void free.push(url)) };
}

/** Gives up a store that was opened with the path of a file, and closed. */
export function deleteStore(file: string): void {
  const url = databases.get(file);
  if (url !== undefined) free.push(url);
  databases.delete(file);
}

async function takeDatabase(): Promise<string> {
  const used = free.pop();
  if (used === undefined) return newDatabase();
  await emptyDatabase(used);
  return used;
}

/** A store that tells when it has done all that it was asked for. */
export class Watched {
  readonly store: Store;
  #asked = 0;

  /** @param call calls the functions of the store */
  constructor(store: Store, call: (act: () => unknown) => unknown = (act) => act()) {
    this.store = new Proxy(store, {
      get: (target, name) => {
        const found: unknown = Reflect.get(target, name, target);
        if (typeof found !== "function") return found;
        return (...args: readonly unknown[]) => this.#watch(call(() => Reflect.apply(found, target, args)));
      },
    });
  }

  /** Whether it has been asked for something that it hasn't done yet. */
  get isAsked(): boolean {
    return this.#asked > 0;
  }

  /** Waits until the store is asked for nothing more, also by what its answers cause. */
  async quiet(): Promise<void> {
    for (let quiet = 0; quiet < 5; quiet = this.isAsked ? 0 : quiet + 1)
      await new Promise((resolve) => setImmediate(resolve));
  }

  #watch(answer: unknown): unknown {
    if (!(answer instanceof Promise)) return answer;
    this.#asked++;
    return answer.finally(() => this.#asked--);
  }
}
