import type { DeliveryKind } from "./delivery.ts";
import * as HEADER from "./header-names.ts";
import * as PREFIX from "./header-prefixes.ts";

/** The claim in which Perdure's own engine writes what it signed for. Other engines' tokens don't have it. */
export const TOKEN_CLAIM = "perdure";

/** A token with this claim is good for this delivery only, not for another one of the same body and URL. */
export interface DeliveryClaim {
  /**
   * `call`: a run's request to a third party. The run's workflow chose its headers, so they don't tell a kind: to another
   * workflow it is a `start`, and nothing else.
   */
  readonly kind: DeliveryKind | "call";
  readonly runId?: string;
  readonly messageId: string;
  /** SHA-256 of the {@link boundHeaders}, as base64url without padding. Absent: they aren't bound. */
  readonly headers?: string;
}

/** Whether a header, by its name in lower case, is one of the protocol's. */
export const isProtocolHeader = (name: string): boolean => /^(?:upstash|perdure)-/.test(name);

/** The headers without those that only Perdure's own engine sends. */
export function withoutEngineHeaders(headers: Headers): Headers {
  return new Headers([...headers].filter(([name]) => !name.startsWith(PREFIX.perdure.toLowerCase())));
}

/** Such bytes are read in one way by this server and in another by that. */
const NON_ASCII = /[^\x20-\x7e]+/g;

/** A delivery's headers that mean something to the endpoint, as one text. */
export function boundHeaders(headers: Headers): string {
  const signature = HEADER.signature.toLowerCase();
  return [...headers]
    .filter(([name, value]) => isProtocolHeader(name) && name !== signature && value !== "")
    .map(([name, value]) => `${name}:${value.replace(NON_ASCII, "?")}\n`)
    .join("");
}

/** Who signs, in the claim `iss`. */
export const ISSUER = "Upstash";

/** The token of a user that development servers of this protocol share. */
export function publicToken(userId: string, password: string): string {
  return btoa(`{"UserID":"${userId}","Password":"${password}"}`);
}

/** The credentials that every development server of this protocol shares. Public: they protect nothing. */
export const DEV_CREDENTIALS = {
  token: publicToken("defaultUser", "defaultPassword") as string,
  currentSigningKey: "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r",
  nextSigningKey: "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs",
  port: 8080,
} as const;

// The beginnings are enough to know the keys by, and shorter in a bundle.
const PUBLIC_KEY = /^sig_(?:7kYjw|5ZB6D|7GVPj|5NoEL|6jWGa|7qHbv|5T8Fc|7GFR4)/;
const PUBLIC_TOKENS: readonly unknown[] = [
  DEV_CREDENTIALS.token,
  ...[1, 2, 3].map((number) => publicToken(`testUser${number}`, "testPassword")),
];

/** Whether a token or a signing key is one that everybody knows. */
export function isPublicSecret(secret: unknown): boolean {
  const text = String(secret);
  return PUBLIC_TOKENS.includes(text) || PUBLIC_KEY.test(text);
}
