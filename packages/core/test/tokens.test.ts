import { createHash, createHmac } from "node:crypto";
import { history, KEYS, request, runHeaders, URL } from "@perdure/test-support/delivery";
import { evil, FUZZ_TIMEOUT, forAll } from "@perdure/test-support/fuzz";
import fc from "fast-check";
import { type JWTPayload, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { serve } from "../src/index.ts";
import { isPublicSecret, PUBLIC_USERS } from "../src/protocol/index.ts";
import { useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const BODY = history({ a: 1 });
const NOW = Math.floor(Date.now() / 1000);
const CLAIMS = {
  iss: "Upstash",
  sub: URL,
  exp: NOW + 300,
  nbf: 0,
  body: createHash("sha256").update(BODY).digest("base64url"),
};

beforeAll(() => {
  for (const level of ["warn", "error"] as const) vi.spyOn(console, level).mockImplementation(() => {});
});
afterAll(() => void vi.restoreAllMocks());

/** A part of a token: of any value, as JSON that a sender may write. */
const part = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

interface Made {
  readonly header: unknown;
  readonly claims: unknown;
  readonly key: string;
  readonly hash: string;
  readonly edit: (token: string) => string;
}

function tokenOf({ header, claims, key, hash, edit }: Made): string {
  const signed = `${part(header)}.${part(claims)}`;
  return edit(`${signed}.${createHmac(hash, key).update(signed).digest("base64url")}`);
}

/** What jose itself says of a token, by either key. */
async function isGenuine(token: string): Promise<boolean> {
  // JSON Web Signatures have no padding (RFC 7515, section 2). Jose lets one pass.
  if (token.endsWith("=")) return false;
  const options = {
    algorithms: ["HS256"],
    issuer: "Upstash",
    requiredClaims: ["exp"],
    // For nbf alone: exp is compared below.
    clockTolerance: 30,
  };
  for (const key of Object.values(KEYS)) {
    try {
      const { payload, protectedHeader } = await jwtVerify<JWTPayload>(token, Buffer.from(key), options);
      // No engine says that something is critical: what is, isn't known here.
      const inTime = Number(payload.exp) > Date.now() / 1000;
      return (
        inTime && payload.sub === URL && payload.body === CLAIMS.body && protectedHeader.crit === undefined
      );
    } catch {}
  }
  return false;
}

/** Whether the endpoint lets a delivery with the token in. */
async function isLetIn(token: string): Promise<boolean> {
  const ran = vi.fn();
  const { handler } = serve(ran, {
    env: { PERDURE_URL: recorder().url, PERDURE_TOKEN: "token" },
    keys: KEYS,
  });
  const { status } = await handler(request(BODY, runHeaders({ "Upstash-Signature": token })));
  expect(status).toBe(ran.mock.calls.length > 0 ? 200 : 401);
  return status === 200;
}

// Mostly as it should be, so that a single odd part decides.
const mostly = <Value>(usual: Value, odd: fc.Arbitrary<unknown>): fc.Arbitrary<Value> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.constant(usual) },
    { weight: 1, arbitrary: odd as fc.Arbitrary<Value> },
  );

const ALGORITHMS = [
  "HS256",
  "hs256",
  "HS384",
  "HS512",
  "RS256",
  "ES256",
  "EdDSA",
  "none",
  "None",
  "",
  " HS256",
];
const header = fc.oneof(
  { weight: 4, arbitrary: fc.constant<unknown>({ alg: "HS256", typ: "JWT" }) },
  { weight: 2, arbitrary: fc.record({ alg: fc.constantFrom<unknown>(...ALGORITHMS, null, 0, ["HS256"]) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      alg: fc.constant("HS256"),
      crit: fc.constantFrom<unknown>(["b64"], ["exp"], [], ["x"], "b64", "", null),
      b64: fc.constantFrom<unknown>(true, false, "true"),
      exp: fc.constant(NOW + 300),
    }),
  },
  { weight: 1, arbitrary: evil },
);
const number = fc.constantFrom<unknown>(
  NOW - 1,
  NOW + 15,
  NOW + 60,
  NOW - 3600,
  NOW + 3600,
  0,
  -1,
  1e300,
  "1e300",
  null,
  {},
  undefined,
);
const claims = mostly<unknown>(
  CLAIMS,
  fc.oneof(
    evil,
    fc.record({
      ...{ iss: mostly<unknown>("Upstash", fc.constantFrom(["Upstash"], "upstash", "", undefined)) },
      ...{ sub: mostly<unknown>(URL, fc.constantFrom(`${URL}/x`, [URL], undefined)) },
      ...{ exp: mostly<unknown>(CLAIMS.exp, number), nbf: mostly<unknown>(0, number) },
      body: mostly<unknown>(CLAIMS.body, evil),
    }),
  ),
);
const KEY_NAMES = [KEYS.current, KEYS.next, "sig_stranger", `${KEYS.current} `, "sig_"];
const edit: fc.Arbitrary<(token: string) => string> = mostly(
  (token: string) => token,
  fc.oneof(
    fc.constantFrom<(token: string) => string>(
      (token) => `${token}.`,
      (token) => `.${token}`,
      (token) => `${token}=`,
      (token) => `${token}==`,
      (token) => token.slice(0, token.lastIndexOf(".") + 1),
      (token) => token.slice(0, token.lastIndexOf(".")),
      (token) => token.replaceAll(".", ".."),
      (token) => token.replaceAll("-", "+").replaceAll("_", "/"),
      (token) => `${token}.${token}`,
      (token) => token.slice(0, -1),
      (token) => `Bearer ${token}`,
      () => "..",
      () => ".",
      () => "x",
    ),
    fc
      .tuple(fc.nat(), fc.constantFrom("A", "z", "-", "_", ".", "=", "é", "+", " ."))
      .map(([at, other]) => (token: string) => {
        const place = at % token.length;
        return token.slice(0, place) + other + token.slice(place + 1);
      }),
  ),
);
const made: fc.Arbitrary<Made> = fc.record({
  header,
  claims,
  key: mostly<string>(KEYS.current, fc.constantFrom(...KEY_NAMES)),
  hash: mostly("sha256", fc.constantFrom("sha384", "sha512", "sha1")),
  edit,
});

describe("a token", () => {
  it("lets in what jose finds genuine, and nothing else", { timeout: FUZZ_TIMEOUT }, async () => {
    const seen = { in: 0, out: 0 };
    await forAll(made, async (one) => {
      const token = tokenOf(one).trim();
      const genuine = await isGenuine(token);
      seen[genuine ? "in" : "out"]++;
      expect(await isLetIn(token), token).toBe(genuine);
    });
    // Neither side is without cases.
    expect(Math.min(seen.in, seen.out)).toBeGreaterThan(20);
  });

  it.each([
    ["another algorithm", { alg: "HS384", typ: "JWT" }, "sha384"],
    ["no algorithm", { alg: "none" }, "sha256"],
    ["something critical that isn't known", { alg: "HS256", crit: ["exp"], exp: 1 }, "sha256"],
    ["an unencoded payload", { alg: "HS256", crit: ["b64"], b64: false }, "sha256"],
  ])("with %s is refused, although the key is right", async (_name, header, hash) => {
    const token = tokenOf({ header, claims: CLAIMS, key: KEYS.current, hash, edit: (made) => made });
    expect(await isLetIn(token)).toBe(false);
  });
});

describe("a public secret", () => {
  it("is known, and no other one", () => {
    for (const { token, signingKeys } of PUBLIC_USERS)
      for (const secret of [token, signingKeys.current, signingKeys.next])
        expect(isPublicSecret(secret), secret).toBe(true);
    for (const secret of ["", undefined, "sig_current", "sig_7kYj", `${PUBLIC_USERS[1]?.token}=`])
      expect(isPublicSecret(secret), secret).toBe(false);
  });
});
