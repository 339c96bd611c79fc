import { existsSync } from "node:fs";
import { mustBe } from "@perdure/core/protocol";
import type { EngineApi } from "./api/index.ts";
import { createPolicy } from "./delivery/policy.ts";
import { createBodyBudget, createTransport, type Engine, type EngineServer, openEngine } from "./engine.ts";
import { checkOwnOptions, checkSharedOptions, type EngineOptions, type Own } from "./engine-options.ts";
import { createLock, tokenOf } from "./http/auth.ts";
import { pathOf } from "./http/path.ts";
import type { Bindings } from "./http/service.ts";
import { checkOptions, mustBeKind } from "./rules/check-options.ts";
import { resolveOptions } from "./rules/engine-options.ts";
import type { EngineEvent } from "./rules/event.ts";

/** A user of a server, with separate data, tokens and keys. */
export interface Tenant extends Pick<EngineOptions, Own> {
  /** The user's name in tokens and in the addresses of webhooks. */
  readonly user: string;
  /** Creates a missing database on the user's first request instead of at startup. */
  readonly lazy?: boolean;
}

/** The engines of several users, in one process. */
export interface TenantServer extends EngineServer {
  /**
   * Returns the API of a user's engine as methods. It opens the user's database, also a `lazy` one.
   *
   * @throws TypeError for an unknown user
   * @example
   * ```ts
   * const { logs } = await server.engineOf("ann").logs.list();
   * ```
   */
  engineOf(user: string): EngineApi;
}

/** Options of {@link createServer}: the users, and the settings that they share. */
export interface ServerOptions extends Omit<EngineOptions, Own | "endpoints" | "onEvent"> {
  /** The users, each with a unique name and unique tokens. */
  readonly tenants: readonly Tenant[];
  /** Called with each event and its user, after the store has recorded the event. */
  readonly onEvent?: (event: EngineEvent, user: string) => void;
}

interface Place {
  readonly tenant: Tenant;
  readonly knows: (token: string) => boolean;
  engine: Engine | undefined;
}

/**
 * Creates a server for several users. Each user has a separate engine: a request reaches it by its token, a
 * webhook by the user in its address. No look-up crosses users, because no part of an engine knows more than
 * one.
 *
 * @throws TypeError for no user, or for two with the same name or token
 * @throws StoreUnavailable when a database can't be opened
 * @example
 * ```ts
 * const server = createServer({
 *   tenants: [
 *     { user: "ann", store: "ann.db", token: tokens.ann, signingKeys: keys.ann },
 *     { user: "bob", store: "bob.db", token: tokens.bob, signingKeys: keys.bob, lazy: true },
 *   ],
 * });
 * server.start();
 * ```
 */
export function createServer(options: ServerOptions): TenantServer {
  checkOptions(
    "createServer",
    options,
    "tenants clock transport destinations concurrency calls timeouts limits retention region trustProxy hidePayloads search onEvent",
  );
  const { tenants, onEvent, ...shared } = options;
  checkSharedOptions(options);
  checkTenants(tenants);
  const policy = shared.destinations && createPolicy(shared.destinations);
  const numbers = resolveOptions(shared);
  const transport = shared.transport ?? createTransport(numbers, policy);
  const bodies = createBodyBudget(numbers);
  let started = false;
  const open = (place: Place): Engine => {
    if (place.engine) return place.engine;
    const { user, lazy: _, ...own } = place.tenant;
    const observed = {
      ...shared,
      ...own,
      transport,
      onEvent: (event: EngineEvent) => onEvent?.(event, user),
    };
    const engine = openEngine(observed, bodies);
    if (started) engine.start();
    place.engine = engine;
    return engine;
  };
  const places = tenants.map(toPlace);
  const engines = (): Engine[] => places.flatMap(({ engine }) => engine ?? []);
  const stopAll = async (options?: Parameters<Engine["stop"]>[0]): Promise<void> => {
    started = false;
    await Promise.all(engines().map((engine) => engine.stop(options)));
    if (!shared.transport) await transport.close();
  };
  try {
    for (const place of places) if (!canWait(place.tenant)) open(place);
  } catch (error) {
    // The databases of the users before would stay in use.
    stopAll().catch(() => {});
    throw error;
  }
  return {
    async fetch(request, bindings) {
      const place = placeOf(request, bindings, places);
      if (place === "unknown webhook")
        return Response.json({ error: "there is no such webhook" }, { status: 404 });
      // Any engine can refuse a request with an unknown token: the first one does.
      return open(place ?? (places[0] as Place)).fetch(request, bindings);
    },
    engineOf(user) {
      const place = places.find(({ tenant }) => tenant.user === user);
      if (!place) throw new TypeError(`The server has no user "${user}".`);
      return open(place);
    },
    start() {
      started = true;
      for (const engine of engines()) engine.start();
    },
    async idle() {
      await Promise.all(engines().map((engine) => engine.idle()));
    },
    stop: stopAll,
  };
}

const HOOK = /^\/v2\/workflows\/hooks\/([^/]+)\//;

function placeOf(
  request: Request,
  bindings: Bindings | undefined,
  places: readonly Place[],
): Place | "unknown webhook" | undefined {
  const [, user] = HOOK.exec(pathOf(request, bindings)) ?? [];
  if (user !== undefined) {
    // With a single user, whose token may contain no name, the webhook's address may name any user.
    if (places.length === 1) return places[0];
    // A webhook doesn't create a database.
    const place = places.find(({ tenant, engine }) => engine && isNamed(user, tenant));
    return place ?? "unknown webhook";
  }
  const token = tokenOf(request);
  // Every engine checks the token, so that the time it takes reveals nothing.
  return token === undefined ? undefined : places.filter(({ knows }) => knows(token))[0];
}

function isNamed(text: string, { user }: Tenant): boolean {
  return text === user || text === encodeURIComponent(user);
}

function toPlace(tenant: Tenant): Place {
  const lock = createLock({ full: tokensOf(tenant), readOnly: tenant.readOnlyTokens ?? [] });
  return { tenant, knows: (token) => lock(token) !== "none", engine: undefined };
}

function tokensOf({ token }: Tenant): readonly string[] {
  return typeof token === "string" ? [token] : token;
}

function canWait({ lazy, store }: Tenant): boolean {
  return lazy === true && typeof store === "string" && !existsSync(store);
}

function checkTenant(tenant: Tenant): void {
  checkOptions(`the tenant "${tenant?.user}"`, tenant, "user lazy store token readOnlyTokens signingKeys");
  const { user, lazy } = tenant;
  if (typeof user !== "string" || user === "") throw mustBe("user", "a non-empty string", user);
  if (![true, false, undefined].includes(lazy)) throw mustBe("lazy", "true or false", lazy);
  checkOwnOptions(tenant);
}

function checkTenants(tenants: readonly Tenant[]): void {
  if (!Array.isArray(tenants)) throw mustBeKind("tenants", "a list of users", tenants);
  if (tenants.length === 0) throw new TypeError("A server needs a user.");
  const seen = new Set<string>();
  for (const tenant of tenants) {
    checkTenant(tenant);
    const name = `the name ${tenant.user}`;
    const tokens = [...tokensOf(tenant), ...(tenant.readOnlyTokens ?? [])];
    for (const one of [name, ...tokens]) {
      if (seen.has(one)) throw new TypeError(`Two users have ${one === name ? name : "the same token"}.`);
      seen.add(one);
    }
  }
}
