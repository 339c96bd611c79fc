import { textFromBase64 } from "../util/bytes.ts";
import { safely } from "../util/check.ts";
import type { DeliveryKind } from "./delivery.ts";
import * as HEADER from "./header-names.ts";

/** The claim that binds a token of Perdure's own engine to one delivery. Other engines' tokens don't have it. */
export const TOKEN_CLAIM = "perdure";

/** A token with this claim is valid for one delivery only, not for another one with the same body and URL. */
export interface DeliveryClaim {
  /**
   * `call`: a run's request to a third party. The workflow chooses its headers, so they don't prove a kind: another workflow
   * accepts it as a `start` only.
   */
  readonly kind: DeliveryKind | "call";
  readonly runId?: string;
  readonly messageId: string;
  /** SHA-256 of the {@link boundHeaders} as base64url without padding; absent when the token doesn't bind headers. */
  readonly headers?: string;
}

/** True for a header of the protocol. @param name in lower case */
export const isProtocolHeader = (name: string): boolean => /^(?:upstash|perdure)-/.test(name);

/** Returns a copy with the headers for which `keep` returns true. */
export function filterHeaders(headers: Headers, keep: (name: string, value: string) => boolean): Headers {
  return new Headers([...headers].filter(([name, value]) => keep(name, value)));
}

/** The headers without those that only Perdure's own engine sends. */
export function withoutEngineHeaders(headers: Headers): Headers {
  return filterHeaders(headers, (name) => !/^perdure-/.test(name));
}

/** Servers decode bytes outside ASCII differently. */
const NON_ASCII = /[^\x20-\x7e]+/g;

/**
 * Returns the delivery's headers that a token binds, as one string: the protocol's headers without the signature.
 *
 * @example
 * ```ts
 * const hash = createHash("sha256").update(boundHeaders(request.headers)).digest("base64url");
 * ```
 */
export function boundHeaders(headers: Headers): string {
  const signature = HEADER.signature.toLowerCase();
  return [...headers]
    .filter(([name, value]) => isProtocolHeader(name) && name !== signature && value !== "")
    .map(([name, value]) => `${name}:${value.replace(NON_ASCII, "?")}\n`)
    .join("");
}

/** The issuer of tokens, in the claim `iss`. */
export const ISSUER = "Upstash";

/** Returns the token of a publicly known user. */
export function publicToken(userId: string, password: string): string {
  return btoa(`{"UserID":"${userId}","Password":"${password}"}`);
}

/**
 * Returns the user in a token; undefined for a token of another form.
 *
 * @example
 * ```ts
 * userIdIn(DEV_CREDENTIALS.token); // "defaultUser"
 * ```
 */
export function userIdIn(token: string): string | undefined {
  const { UserID } = Object(safely(() => JSON.parse(textFromBase64(token))));
  return typeof UserID === "string" ? UserID : undefined;
}

/** The credentials of this protocol's development servers. They are public, so they protect nothing. */
export const DEV_CREDENTIALS = {
  token: publicToken("defaultUser", "defaultPassword") as string,
  currentSigningKey: "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r",
  nextSigningKey: "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs",
  port: 8080,
} as const;

// The beginnings identify the keys, and keep the bundle small.
const PUBLIC_KEY = /^sig_(?:7kYjw|5ZB6D|7GVPj|5NoEL|6jWGa|7qHbv|5T8Fc|7GFR4)/;
const PUBLIC_TOKENS: readonly unknown[] = [
  DEV_CREDENTIALS.token,
  ...[1, 2, 3].map((number) => publicToken(`testUser${number}`, "testPassword")),
];

/**
 * True for a publicly known token or signing key.
 *
 * @example
 * ```ts
 * isPublicSecret(DEV_CREDENTIALS.token); // true
 * ```
 */
export function isPublicSecret(secret: unknown): boolean {
  const value = String(secret);
  return PUBLIC_TOKENS.includes(value) || PUBLIC_KEY.test(value);
}
