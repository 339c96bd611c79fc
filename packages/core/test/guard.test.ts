import {
  failureBody,
  failureHeaders,
  history,
  KEYS,
  request,
  runHeaders,
  sign,
  URL as WORKFLOW,
} from "@perdure/test-support/delivery";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type ServeOptions, serve } from "../src/index.ts";

beforeEach(() => void vi.spyOn(console, "warn").mockImplementation(() => {}));
afterEach(() => vi.restoreAllMocks());

const pair = (prefix: string, name: string): Record<string, string> => ({
  [`${prefix}PERDURE_CURRENT_SIGNING_KEY`]: `sig_${name}`,
  [`${prefix}PERDURE_NEXT_SIGNING_KEY`]: `sig_${name}_next`,
});
const PLAIN = pair("", "plain");
const EU = pair("EU_CENTRAL_1_", "eu");
const US = pair("US_EAST_1_", "us");

const KEY_SETS: Readonly<Record<string, Record<string, string>>> = {
  none: {},
  plain: PLAIN,
  eu: EU,
  us: US,
  "eu and us": { ...EU, ...US },
  "plain and us": { ...PLAIN, ...US },
};
const HOOKS: Readonly<Record<string, ServeOptions>> = {
  none: {},
  yes: { authorize: () => true },
  no: { authorize: () => false },
};
const HEADERS = [undefined, "", "eu-central-1", "EU_CENTRAL_1", "us-east-1", "mars-1"];
const SIGNERS = [undefined, "sig_plain", "sig_plain_next", "sig_eu", "sig_us", "sig_us_next", "sig_stranger"];
const signatures = Object.fromEntries(
  SIGNERS.flatMap((key) => (key ? [[key, sign(failureBody(), { key })]] : [])),
) as Record<string, Promise<string>>;

interface Case {
  readonly region: string | undefined;
  readonly keys: Record<string, string>;
  readonly hook: string;
  readonly named: string | undefined;
  readonly signer: string | undefined;
}

function expected({ region, keys, hook, named, signer }: Case): number {
  if (region && named === "mars-1") return 401;
  const known = Object.values(keys);
  if (known.length === 0 && hook === "none") return 401;
  if (known.length > 0 && !known.includes(signer ?? "")) return 401;
  return hook === "no" ? 403 : 200;
}

describe("who may call an endpoint", () => {
  const rows = [undefined, "EU_CENTRAL_1", "us-east-1"].flatMap((region) =>
    Object.keys(KEY_SETS).flatMap((keys) => Object.keys(HOOKS).map((hook) => ({ region, keys, hook }))),
  );

  it.each(rows)("never depends on the request: region $region, keys $keys, hook $hook", async (row) => {
    const { region, hook } = row;
    const keys = KEY_SETS[row.keys] ?? {};
    let ran = 0;
    const { handler } = serve(() => 1, {
      env: { ...keys, ...(region ? { PERDURE_REGION: region } : {}) },
      failureFunction: () => void ran++,
      ...HOOKS[hook],
    });
    for (const named of HEADERS) {
      for (const signer of SIGNERS) {
        const headers = failureHeaders({
          ...(named === undefined ? {} : { "Upstash-Region": named }),
          ...(signer ? { "Upstash-Signature": await signatures[signer] } : {}),
        });
        const before = ran;
        const { status } = await handler(request(failureBody(), headers));
        const what = JSON.stringify({ named, signer });
        expect(`${what} ${status}`).toBe(`${what} ${expected({ region, keys, hook, named, signer })}`);
        expect(ran - before).toBe(status === 200 ? 1 : 0);
      }
    }
  });

  it("isn't anybody where half of a pair is set, whichever region it is of", async () => {
    vi.spyOn(console, "error").mockImplementation(() => {});
    for (const half of Object.entries({ ...PLAIN, ...EU, ...US })) {
      const env = { PERDURE_REGION: "EU_CENTRAL_1", ...Object.fromEntries([half]) };
      const { handler } = serve(() => 1, { env, authorize: () => true });
      expect((await handler(request(failureBody(), failureHeaders()))).status).toBe(500);
    }
  });
});

describe("before the body is read", () => {
  const body = history({});

  /** A request whose body tells when somebody asks for it. */
  async function ask(headers: Record<string, string>, options: ServeOptions = { keys: KEYS }) {
    let read = false;
    const stream = new ReadableStream(
      {
        pull(controller) {
          read = true;
          controller.enqueue(new TextEncoder().encode(body));
          controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const init = { method: "POST", headers: { ...runHeaders(), ...headers }, body: stream, duplex: "half" };
    const { handler } = serve(() => 1, { env: {}, ...options });
    const { status } = await handler(new Request(WORKFLOW, init));
    return { status, read };
  }

  it.each<[string, () => Promise<string> | string, ServeOptions?]>([
    ["no token", () => ""],
    ["no token, for a receiver", () => "", { receiver: { verify: async () => true } }],
    ["no check at all", () => sign(body), {}],
    ["what is no token", () => "a.b.c"],
    ["another key", () => sign(body, { key: "sig_stranger" })],
    ["another time", () => sign(body, { expiresIn: -100 })],
    ["another issuer", () => sign(body, { issuer: "Somebody" })],
    ["another URL", () => sign(body, { subject: "https://app.example.com/other" })],
    [
      "another delivery",
      () => sign(body, { claim: { kind: "failure", runId: "wfr_test", messageId: "msg_last" } }),
    ],
    [
      "other headers",
      () =>
        sign(body, {
          claim: { kind: "resume", runId: "wfr_test", messageId: "msg_last", headers: "another hash" },
        }),
    ],
  ])("%s is refused", async (_name, token, options) => {
    expect(await ask({ "Upstash-Signature": await token() }, options)).toEqual({ status: 401, read: false });
  });

  it("an unknown region is refused", async () => {
    const env = { PERDURE_REGION: "EU_CENTRAL_1" };
    const headers = { "Upstash-Region": "mars-1" };
    expect(await ask(headers, { env, verify: "off" })).toEqual({ status: 401, read: false });
  });

  it("a good token isn't enough: it must be of the body", async () => {
    expect(await ask({ "Upstash-Signature": await sign("[]") })).toEqual({ status: 401, read: true });
  });
});

describe("an empty header of the protocol", () => {
  it.each([
    "Upstash-Workflow-Failure-Callback",
    "Upstash-Workflow-Callback",
    "Upstash-Workflow-Unknown-Sdk",
    "Upstash-Workflow-CallType",
    "Upstash-Region",
    "Perdure-Run-Options",
    "Perdure-Max-Retries",
  ])("%s counts as none", async (name) => {
    const ran: string[] = [];
    const env = { PERDURE_TOKEN: "token", PERDURE_URL: "http://127.0.0.1:9", PERDURE_REGION: "EU_CENTRAL_1" };
    const { handler } = serve(() => void ran.push("workflow"), {
      env: { ...env, EU_CENTRAL_1_PERDURE_TOKEN: "token" },
      keys: KEYS,
      qstashClient: { retry: false, baseUrl: "http://127.0.0.1:9", token: "t" },
      failureFunction: () => void ran.push("failure"),
    });
    vi.spyOn(console, "error").mockImplementation(() => {});
    const body = history({});
    const headers = { ...runHeaders(), "Upstash-Signature": await sign(body), [name]: "" };
    await handler(request(body, headers));
    expect(ran).toEqual(["workflow"]);
  });
});
