import type { SigningKeys } from "../delivery/signer.ts";
import { signingKeys as routes } from "../http/keys.ts";
import type { Backup } from "../store/maintenance.ts";
import type { Caller } from "./caller.ts";

/** The keys that deliveries are signed with. */
export interface KeysApi {
  /**
   * Gets the keys in use.
   *
   * @example
   * ```ts
   * const { current, next } = await engine.keys.get();
   * ```
   */
  get(): Promise<SigningKeys>;
  /**
   * Replaces the current key by the next key, and the next key by a new key. Endpoints need the new pair
   * before the next rotation.
   *
   * @example
   * ```ts
   * const { current, next } = await engine.keys.rotate();
   * ```
   */
  rotate(): Promise<SigningKeys>;
}

/** Keys and backups, for the engine's operator. */
export interface UpkeepApi {
  /** The keys that deliveries are signed with. */
  readonly keys: KeysApi;
  /**
   * Copies the whole database in a consistent state, while the engine keeps running.
   *
   * @throws EngineError `not_possible_here` if the database isn't a file
   * @example
   * ```ts
   * const { content } = await engine.backup();
   * await writeFile("backup.db", content);
   * ```
   */
  backup(): Promise<Backup>;
}

export function createUpkeepApi({ call, run }: Caller): UpkeepApi {
  return {
    keys: {
      get: () => call(routes["/v2/keys"].GET),
      rotate: () => call(routes["/v2/keys/rotate"].POST),
    },
    backup: () => run(({ store }) => store.backup()),
  };
}
