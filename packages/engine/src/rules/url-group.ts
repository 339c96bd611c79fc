import { isSameUrl, LOWERCASE_HEADER, LOWERCASE_PREFIX, urlKey } from "@perdure/core/protocol";
import { EngineError, invalid, notFound } from "./engine-error.ts";
import { checkSegment } from "./name.ts";
import type { PublishRequest } from "./new-message.ts";

/** A URL group. The engine delivers a message to a group to each of its endpoints. */
export interface UrlGroup {
  readonly name: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** At least one endpoint, in the order in which the client added them. */
  readonly endpoints: readonly UrlGroupEndpoint[];
  /** Default headers for messages to the endpoint. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface UrlGroupEndpoint {
  readonly url: string;
  readonly name?: string;
}

/** A change of a group. */
export type UrlGroupChange =
  | { readonly kind: "add"; readonly endpoints: readonly UrlGroupEndpoint[] }
  | { readonly kind: "remove"; readonly endpoints: readonly Partial<UrlGroupEndpoint>[] }
  | { readonly kind: "headers"; readonly headers: UrlGroup["headers"] }
  | { readonly kind: "delete" };

/** The limits above which the engine refuses a group. */
export interface UrlGroupLimits {
  /** The most endpoints of one group. */
  readonly endpoints: number;
  /** The most groups that may exist. */
  readonly urlGroups: number;
}

const NAME = /^[a-zA-Z0-9\-_.]{1,256}$/;
const OWN = LOWERCASE_PREFIX.own;

/** Returns true if a destination is the name of a group: a URL has a scheme. */
export function isUrlGroupName(destination: string): boolean {
  return NAME.test(destination);
}

/** @throws EngineError `invalid_request` */
export function checkUrlGroupName(name: string, field: string): string {
  checkSegment(name, field);
  if (isUrlGroupName(name)) return name;
  throw invalid(field, `expected up to 256 letters, digits, "-", "_" and ".", got "${name.slice(0, 300)}"`);
}

/** The error for a destination that looks like a group's name, but names no group. */
export function unknownDestination(name: string): EngineError {
  // A name with a dot is more likely a host without its scheme.
  if (!name.includes(".")) return new EngineError("not_found", `url group ${name} not found`);
  return new EngineError(
    "invalid_request",
    "invalid destination url: endpoint has invalid scheme, add http:// or https:// (and there is no url group of this name)",
  );
}

/**
 * A group after a change; `undefined` when it has no endpoints left.
 *
 * @throws EngineError `not_found` when there is no group to change, `limit_reached` for too many endpoints
 */
export function changeUrlGroup(
  { name, urlGroup }: { readonly name: string; readonly urlGroup: UrlGroup | undefined },
  change: UrlGroupChange,
  limits: UrlGroupLimits,
  now: number,
): UrlGroup | undefined {
  switch (change.kind) {
    case "add": {
      const endpoints = upsert(urlGroup?.endpoints ?? [], change.endpoints);
      checkCount(name, endpoints.length, limits);
      const old = urlGroup ?? { name, createdAt: now, headers: {} };
      return { ...old, endpoints, updatedAt: now };
    }
    case "remove": {
      if (!urlGroup) throw notFound(`url group ${name}`);
      const endpoints = urlGroup.endpoints.filter(
        (one) => !change.endpoints.some((other) => matches(one, other)),
      );
      return endpoints.length > 0 ? { ...urlGroup, endpoints, updatedAt: now } : undefined;
    }
    case "headers":
      if (!urlGroup) throw notFound(`url group ${name}`);
      return { ...urlGroup, headers: change.headers, updatedAt: now };
    case "delete":
      return undefined;
  }
}

/** @throws EngineError `limit_reached` for more endpoints than a group may have */
export function checkCount(name: string, count: number, { endpoints: most }: UrlGroupLimits): void {
  if (count <= most) return;
  throw new EngineError(
    "limit_reached",
    `url group ${name} must have at most ${most} endpoints; got ${count}`,
    { limit: most },
  );
}

/** The request to one of a group's endpoints. The group's headers apply where the request sets none. */
export function toEndpoint(
  request: PublishRequest,
  urlGroup: UrlGroup,
  endpoint: UrlGroupEndpoint,
): PublishRequest {
  const headers = new Map(request.headers);
  for (const [name, value] of Object.entries(urlGroup.headers)) {
    const lower = urlGroupHeader(name);
    if (!headers.has(lower)) headers.set(lower, value);
  }
  return { ...request, headers, destination: endpoint.url };
}

/**
 * The request header that a group's header stands for. A header that isn't an option goes to the endpoint.
 */
export function urlGroupHeader(name: string): string {
  const lower = name.toLowerCase();
  if (lower.startsWith(OWN) || lower === LOWERCASE_HEADER.contentType) return lower;
  return LOWERCASE_PREFIX.forward + lower;
}

function upsert(old: readonly UrlGroupEndpoint[], added: readonly UrlGroupEndpoint[]): UrlGroupEndpoint[] {
  const endpoints = [...old];
  const keys = old.map(({ url }) => urlKey(url));
  for (const one of added) {
    const key = urlKey(one.url);
    const byName = one.name === undefined ? -1 : endpoints.findIndex(({ name }) => name === one.name);
    const found = byName >= 0 ? byName : keys.indexOf(key);
    const at = found >= 0 ? found : endpoints.length;
    endpoints[at] = one;
    keys[at] = key;
  }
  return endpoints;
}

/** Finds an endpoint by its name if the change names one, else by its URL. */
function matches(endpoint: UrlGroupEndpoint, wanted: Partial<UrlGroupEndpoint>): boolean {
  return wanted.name === undefined
    ? isSameUrl(endpoint.url, wanted.url ?? "")
    : endpoint.name === wanted.name;
}
