import type { DeliveryKind } from "./delivery.ts";
import * as HEADER from "./names.ts";

/** The claim in which Perdure's own engine writes what it signed for. Other engines' tokens don't have it. */
export const TOKEN_CLAIM = "perdure";

/** A token with this claim is good for this delivery only, not for another one of the same body and URL. */
export interface DeliveryClaim {
  readonly kind: DeliveryKind;
  readonly runId?: string;
  readonly messageId: string;
  /** SHA-256 of the {@link boundHeaders}, as base64url without padding. Absent: they aren't bound. */
  readonly headers?: string;
}

/** Whether a header, by its name in lower case, is one of the protocol's. */
export const isOfProtocol = (name: string): boolean => /^(?:upstash|perdure)-/.test(name);

/** Such bytes are read in one way by this server and in another by that. */
const BEYOND_ASCII = /[^\x20-\x7e]+/g;

/** A delivery's headers that mean something to the endpoint, as one text. */
export function boundHeaders(headers: Headers): string {
  const signature = HEADER.signature.toLowerCase();
  return [...headers]
    .filter(([name, value]) => isOfProtocol(name) && name !== signature && value !== "")
    .map(([name, value]) => `${name}:${value.replace(BEYOND_ASCII, "?")}\n`)
    .join("");
}

/** Who signs, in the claim `iss`. */
export const ISSUER = "Upstash";

/** The credentials that every development server of this protocol shares. Public: they protect nothing. */
export const DEV_CREDENTIALS = {
  token: btoa('{"UserID":"defaultUser","Password":"defaultPassword"}') as string,
  currentSigningKey: "sig_7kYjw48mhY7kAjqNGcy6cr29RJ6r",
  nextSigningKey: "sig_5ZB6DVzB1wjE8S6rZ7eenA8Pdnhs",
  port: 8080,
} as const;

/** Every user that development servers of this protocol share, the one of {@link DEV_CREDENTIALS} first. */
export const PUBLIC_USERS: readonly {
  readonly token: string;
  readonly signingKeys: { readonly current: string; readonly next: string };
}[] = [
  publicUser(DEV_CREDENTIALS.token, DEV_CREDENTIALS.currentSigningKey, DEV_CREDENTIALS.nextSigningKey),
  testUser(1, "7GVPjvuwsfqF65iC8fSrs1dfYruM", "5NoELc3EFnZn4DVS5bDs2Nk4b7Ua"),
  testUser(2, "6jWGaWRxHsw4vMSPJprXadyvrybF", "7qHbvhmahe5GwfePDiS5Lg3pi6Qx"),
  testUser(3, "5T8FcSsynBjn9mMLBsXhpacRovJf", "7GFR4YaDshFcqsxWRZpRB161jguD"),
];

function testUser(number: number, current: string, next: string): (typeof PUBLIC_USERS)[number] {
  const token = btoa(`{"UserID":"testUser${number}","Password":"testPassword"}`);
  return publicUser(token, `sig_${current}`, `sig_${next}`);
}

function publicUser(token: string, current: string, next: string): (typeof PUBLIC_USERS)[number] {
  return { token, signingKeys: { current, next } };
}

/** Whether a token or a signing key is one that everybody knows. */
export function isPublicSecret(secret: string): boolean {
  return PUBLIC_USERS.some(({ token, signingKeys: { current, next } }) =>
    [token, current, next].includes(secret),
  );
}
