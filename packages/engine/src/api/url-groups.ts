import { urlGroups as routes } from "../http/url-groups.ts";
import type { Answer } from "./answer.ts";
import type { Caller } from "./caller.ts";

const GROUP = routes["/v2/topics/:name"];
const ENDPOINTS = routes["/v2/topics/:name/endpoints"];

/** A URL group with its endpoints. */
export type UrlGroupInfo = Answer<typeof GROUP.GET>;

/** An endpoint of a URL group. */
export interface EndpointOptions {
  /** The URL that gets the group's messages. */
  readonly url: string;
  /** A name to replace or remove the endpoint by. */
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
   * Adds endpoints to a URL group. Creates the group if it doesn't exist. An endpoint with the name or URL of
   * another endpoint replaces it.
   *
   * @throws EngineError `limit_reached` for too many endpoints or groups
   * @example
   * ```ts
   * await engine.urlGroups.addEndpoints("orders", [{ url: "https://a.example.com", name: "a" }]);
   * ```
   */
  addEndpoints(name: string, endpoints: readonly EndpointOptions[]): Promise<void>;
  /**
   * Removes endpoints by their names or URLs. Deletes the group with its last endpoint.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.urlGroups.removeEndpoints("orders", [{ name: "a" }]);
   * ```
   */
  removeEndpoints(name: string, endpoints: readonly Partial<EndpointOptions>[]): Promise<void>;
  /**
   * Sets default headers for messages to the group. A message can override them.
   *
   * @throws EngineError `not_found`
   * @example
   * ```ts
   * await engine.urlGroups.setHeaders("orders", { "X-Source": "shop" });
   * ```
   */
  setHeaders(name: string, headers: Readonly<Record<string, string | readonly string[]>>): Promise<void>;
  /**
   * Deletes a URL group, if it exists. The engine still delivers messages that were published to it.
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
