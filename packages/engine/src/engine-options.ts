import { checkFunction, mustBe } from "@perdure/core/protocol";
import type { Store } from "./commands/store.ts";
import { checkEndpoints, type LocalEndpoints } from "./delivery/local-endpoints.ts";
import { createPolicy, type DestinationRules } from "./delivery/policy.ts";
import type { SigningKeys } from "./delivery/signer.ts";
import type { Transport } from "./delivery/transport.ts";
import { checkOptions, checkSecret, mustBeKind } from "./rules/check-options.ts";
import type { Clock } from "./rules/clock.ts";
import { resolveOptions, type ScalarOptions } from "./rules/engine-options.ts";
import type { Observer } from "./rules/event.ts";
import { isPostgresUrl } from "./store/postgres/location.ts";

/** Options of `createEngine`. {@link ScalarOptions} adds the numbers, flags and names. */
export interface EngineOptions extends ScalarOptions {
  /**
   * A store that no other engine uses, or the path of a SQLite file that the engine opens and closes (`:memory:` for no
   * file).
   */
  readonly store: Store | string;
  /** The bearer token of clients, or several tokens. */
  readonly token: string | readonly string[];
  /** Tokens for clients that may only read, the signing keys excepted. Default: none. */
  readonly readOnlyTokens?: readonly string[];
  /** The keys that sign deliveries until the first rotation. Endpoints verify signatures with them. */
  readonly signingKeys: SigningKeys;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
  /** Default: a pool of connections. The engine doesn't close a transport that the caller passes. */
  readonly transport?: Transport;
  /**
   * Functions of this process that get the deliveries to their origins without HTTP:
   * `{ "https://app.example.com": app.fetch }`. Default: none.
   */
  readonly endpoints?: LocalEndpoints;
  /**
   * Rules for the destinations of deliveries. Default: no restriction. With rules, even empty ones,
   * deliveries may go only to addresses of the public internet, unless an entry says otherwise.
   */
  readonly destinations?: DestinationRules;
  /** Called with each event after the store has recorded it. */
  readonly onEvent?: Observer;
}

/** The options that each engine of a server has for itself. */
export type Own = "store" | "token" | "readOnlyTokens" | "signingKeys";

/** @throws TypeError that names the unknown or invalid option */
export function checkEngineOptions(options: EngineOptions): void {
  checkOptions(
    "createEngine",
    options,
    "store token readOnlyTokens signingKeys clock transport endpoints destinations concurrency calls timeouts limits retention region trustProxy hidePayloads search onEvent",
  );
  checkOwnOptions(options);
  checkSharedOptions(options);
  if (options.endpoints !== undefined) checkEndpoints(options.endpoints);
}

/** Checks the options of an engine that several engines of a process may share. @throws TypeError that names the invalid option */
export function checkSharedOptions(
  options: Omit<EngineOptions, Own | "endpoints" | "onEvent"> & { readonly onEvent?: unknown },
): void {
  const { clock, transport, destinations, onEvent } = options;
  if (clock !== undefined) checkMethods("clock", clock, ["now", "after"]);
  if (transport !== undefined) checkMethods("transport", transport, ["send", "close"]);
  if (destinations !== undefined) createPolicy(destinations);
  if (onEvent !== undefined) checkFunction("onEvent", onEvent);
  resolveOptions(options);
}

/** Checks the options that an engine shares with no other one. @throws TypeError that names the invalid option */
export function checkOwnOptions({
  store,
  token,
  readOnlyTokens = [],
  signingKeys,
}: Pick<EngineOptions, Own>): void {
  checkStore(store);
  checkTokens("token", "a non-empty string, or a list of them", typeof token === "string" ? [token] : token);
  if (token.length === 0) throw mustBeKind("token", "a non-empty string, or a list of them", token);
  checkTokens("readOnlyTokens", "a list of non-empty strings", readOnlyTokens);
  checkOptions("signingKeys", signingKeys, "current next");
  checkSecret("signingKeys.current", signingKeys.current);
  checkSecret("signingKeys.next", signingKeys.next);
}

function checkTokens(what: string, wanted: string, tokens: unknown): void {
  if (!Array.isArray(tokens)) throw mustBeKind(what, wanted, tokens);
  for (const token of tokens) checkSecret(`each ${what}`, token);
}

function checkStore(store: unknown): void {
  // A URL would become the name of a folder.
  if (typeof store === "string" && isPostgresUrl(store))
    throw new TypeError(
      "store must be the path of a SQLite file or a store; open a PostgreSQL database first: store: await openPostgres(url)",
    );
  if (typeof store === "string" && store.trim() !== "") return;
  if (!hasMethods(store, ["useClock", "onEvent", "close"]))
    // The value may be settings with a password.
    throw mustBeKind("store", "the path of a SQLite file, or a store such as await openPostgres(url)", store);
}

function checkMethods(what: string, value: unknown, names: readonly string[]): void {
  if (!hasMethods(value, names))
    throw mustBe(what, `an object with the functions ${names.join(" and ")}`, value);
}

function hasMethods(value: unknown, names: readonly string[]): boolean {
  return names.every((name) => typeof Object(value)[name] === "function");
}
