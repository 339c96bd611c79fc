import { urlGroups as routes } from "../http/url-groups.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./caller.ts";

const GROUP = routes["/v2/topics/:name"];
const ENDPOINTS = routes["/v2/topics/:name/endpoints"];

/** A URL group with its endpoints. */
export type UrlGroupInfo = Answer<typeof GROUP.GET>;

/** An endpoint of a URL group. */
export interface EndpointOptions {
  /** Where its messages go. */
  readonly url: string;
  /** By which it can be replaced or removed. */
  readonly name?: string;
}

/** URL groups: a message to a group goes to each of its endpoints. */
export interface UrlGroupsApi {
  /**
   * Lists all URL groups, by name.
   *
   * @example
   * ```ts
   * const groups = await engine.urlGroups.list();
   * ```
   */
  list(): Promise<readonly UrlGroupInfo[]>;
  /**
   * Gets a URL group.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * const { endpoints } = await engine.urlGroups.get("orders");
   * ```
   */
  get(name: string): Promise<UrlGroupInfo>;
  /**
   * Adds endpoints to a URL group, which is made if there is none. An endpoint with the name or URL of another replaces it.
   *
   * @throws EngineError `limit_reached` for an endpoint or a group too many
   * @example
   * ```ts
   * await engine.urlGroups.addEndpoints("orders", [{ url: "https://a.example.com", name: "a" }]);
   * ```
   */
  addEndpoints(name: string, endpoints: readonly EndpointOptions[]): Promise<void>;
  /**
   * Removes endpoints by their names or URLs, and with the last one the group.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.urlGroups.removeEndpoints("orders", [{ name: "a" }]);
   * ```
   */
  removeEndpoints(name: string, endpoints: readonly Partial<EndpointOptions>[]): Promise<void>;
  /**
   * Sets the headers that messages to the group have where they don't set them themselves.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.urlGroups.setHeaders("orders", { "X-Source": "shop" });
   * ```
   */
  setHeaders(name: string, headers: Readonly<Record<string, string | readonly string[]>>): Promise<void>;
  /**
   * Deletes a URL group, if there is one. Messages that were published to it are still delivered.
   *
   * @example
   * ```ts
   * await engine.urlGroups.delete("orders");
   * ```
   */
  delete(name: string): Promise<void>;
}

export function createUrlGroupsApi({ call }: Caller): UrlGroupsApi {
  return {
    list: () => call(routes["/v2/topics"].GET),
    get: (name) => call(GROUP.GET, { params: { name } }),
    async addEndpoints(name, endpoints) {
      await call(ENDPOINTS.POST, { params: { name }, body: { endpoints } });
    },
    async removeEndpoints(name, endpoints) {
      await call(ENDPOINTS.DELETE, { params: { name }, body: { endpoints } });
    },
    async setHeaders(name, headers) {
      await call(GROUP.PATCH, { params: { name }, body: { headers } });
    },
    async delete(name) {
      await call(GROUP.DELETE, { params: { name } });
    },
  };
}
