import { createHash } from "node:crypto";
import { boundHeaders, DEV_CREDENTIALS, HEADER, TOKEN_CLAIM } from "@perdure/core/protocol";
import { jwtVerify } from "jose";
import { describe, expect, it } from "vitest";
import { APP, type Call, failed, isFailure, ok, START, sequence, world } from "../harness.ts";

const claimsOf = async (
  call: Call,
  key: string = DEV_CREDENTIALS.currentSigningKey,
): Promise<Record<string, unknown>> => {
  const token = call.headers.get(HEADER.signature) ?? "";
  const options = { issuer: "Upstash", currentDate: new Date(call.at) };
  return (await jwtVerify(token, new TextEncoder().encode(key), options)).payload;
};

describe("a plain message", () => {
  it("is delivered as it was given", async () => {
    const w = world(() => new Response());
    const body = new Uint8Array([0, 255, 1, 254]);
    const answer = await w.ask("POST", "/v2/publish/https://a.test//x/%2F?b=1&upstash-retries=5", {
      headers: {
        "Content-Type": "application/octet-stream",
        [HEADER.method]: "PATCH",
        "Upstash-Forward-Authorization": "Bearer third",
        "Upstash-Telemetry-Sdk": "x",
        "X-Not-Forwarded": "1",
      },
      body,
    });
    expect(answer).toMatchObject({
      status: 200,
      body: { messageId: expect.any(String), url: "https://a.test//x/%2F?b=1" },
    });
    expect((await w.ask("GET", `/v2/messages/${answer.body.messageId}`)).body).toMatchObject({
      maxRetries: 5,
      bodyBase64: Buffer.from(body).toString("base64"),
    });
    await w.engine.idle();
    const [call] = w.calls;
    expect(call).toMatchObject({ url: "https://a.test//x/%2F?b=1", method: "PATCH" });
    expect(Object.fromEntries(call?.headers ?? [])).toEqual({
      authorization: "Bearer third",
      "content-type": "application/octet-stream",
      "upstash-caller-ip": "127.0.0.1",
      "upstash-message-id": answer.body.messageId,
      "upstash-retried": "0",
      "upstash-signature": expect.any(String),
      "user-agent": "Upstash-QStash",
    });
  });

  it("has no body and no content type when it was given none", async () => {
    const w = world(() => new Response());
    await w.ask("POST", "/v2/publish/https://a.test/", { headers: { [HEADER.method]: "GET" } });
    await w.engine.idle();
    expect(w.calls[0]).toMatchObject({ method: "GET", text: "" });
    expect(w.calls[0]?.headers.has("content-type")).toBe(false);
  });

  it("is delivered when its time has come, and not before", async () => {
    const w = world(() => new Response());
    await w.ask("POST", "/v2/publish/https://a.test/", { headers: { [HEADER.delay]: "1h" } });
    await w.drain();
    expect(w.calls.map((call) => call.at - START)).toEqual([3_600_000]);
  });

  it("can't carry what only the engine may say", async () => {
    const w = world(() => new Response());
    const names = [
      HEADER.runId,
      HEADER.isFailure,
      HEADER.isFailureCallback,
      HEADER.isCallResult,
      `${HEADER.isCallResult}-StepId`,
      HEADER.sdkVersion,
      HEADER.unknownSdk,
      HEADER.createdAt,
      HEADER.signature,
      HEADER.messageId,
      HEADER.retried,
      HEADER.region,
      HEADER.callerIp,
      "Host",
      "Connection",
      "Transfer-Encoding",
      "Content-Length",
      "User-Agent",
    ];
    const spoofed = Object.fromEntries(names.map((name) => [`Upstash-Forward-${name}`, "spoofed"]));
    await w.ask("POST", "/v2/publish/https://a.test/", {
      headers: { ...spoofed, "Upstash-Forward-Upstash-Label": "l" },
    });
    await w.engine.idle();
    const headers = [...(w.calls[0]?.headers ?? [])];
    expect(headers.filter(([, value]) => value === "spoofed")).toEqual([]);
    expect(w.calls[0]?.headers.get(HEADER.label)).toBe("l");
    expect(await claimsOf(w.calls[0] as Call)).toMatchObject({ [TOKEN_CLAIM]: { kind: "start" } });
  });
});

describe("a signature", () => {
  it("vouches for the url, the body and what the delivery is", async () => {
    const w = world(sequence(1));
    await w.start("wfr_1");
    await w.engine.idle();
    const call = w.calls[1] as Call;
    expect(await claimsOf(call)).toEqual({
      iss: "Upstash",
      sub: APP,
      iat: START / 1000,
      exp: START / 1000 + 300,
      nbf: 0,
      jti: expect.stringMatching(/^jwt_.{10,}/),
      body: createHash("sha256").update(call.text).digest("base64url"),
      [TOKEN_CLAIM]: {
        kind: "resume",
        runId: "wfr_1",
        messageId: call.headers.get(HEADER.messageId),
        headers: createHash("sha256").update(boundHeaders(call.headers)).digest("base64url"),
      },
    });
    await expect(claimsOf(call, DEV_CREDENTIALS.nextSigningKey)).rejects.toThrow("signature");
  });

  it("is made anew for each attempt", async () => {
    const w = world(() => failed(500, "x"));
    await w.ask("POST", "/v2/publish/https://a.test/", { headers: { [HEADER.retries]: "1" } });
    await w.drain();
    const [first, second] = await Promise.all(w.calls.map((call) => claimsOf(call)));
    expect(second?.iat).toBe(START / 1000 + 12);
    expect(second?.jti).not.toBe(first?.jti);
  });

  it("says of a failure's report that it is one", async () => {
    const w = world((call) => (isFailure(call) ? ok() : failed(500, "x")));
    await w.start("wfr_1", { [HEADER.retries]: "0" });
    await w.engine.idle();
    expect(await claimsOf(w.calls[1] as Call)).toMatchObject({
      [TOKEN_CLAIM]: { kind: "failure", runId: "wfr_1" },
    });
  });
});

describe("a run's deliveries", () => {
  it("carry its forwarded headers and the engine's own, and none that would make them something else", async () => {
    const w = world(sequence(1));
    await w.start("wfr_1", {
      "Upstash-Forward-X-Tenant": "acme",
      "Upstash-Forward-Upstash-Workflow-Invoke-Count": "3",
      "Upstash-Forward-Upstash-Workflow-Is-Failure": "true",
      "Upstash-Forward-Upstash-Workflow-Callback": "true",
      "Upstash-Forward-Upstash-Workflow-RunId": "wfr_other",
      "Upstash-Forward-Content-Type": "text/plain",
      "Upstash-Forward-Host": "evil.test",
    });
    await w.engine.idle();
    for (const [at, call] of w.calls.entries()) {
      expect(Object.fromEntries(call.headers)).toEqual({
        "perdure-max-retries": "3; default",
        // An endpoint that isn't one of Perdure's is known after its first answer.
        ...(at === 0 ? { "perdure-lease": expect.any(String), "perdure-time": String(START) } : {}),
        "content-type": "application/json",
        "upstash-caller-ip": "127.0.0.1",
        "upstash-message-id": expect.any(String),
        "upstash-retried": "0",
        "upstash-signature": expect.any(String),
        "upstash-workflow-calltype": "step",
        "upstash-workflow-createdat": String(START),
        "upstash-workflow-init": String(at === 0),
        "upstash-workflow-invoke-count": "3",
        "upstash-workflow-runid": "wfr_1",
        "upstash-workflow-sdk-version": "1",
        "upstash-workflow-url": APP,
        "user-agent": "Upstash-QStash",
        "x-tenant": "acme",
      });
    }
  });

  it("are told apart from a raw start even for a client that forwards no version", async () => {
    const w = world(sequence(0));
    await w.ask("POST", `/v2/publish/${APP}`, {
      headers: { [HEADER.init]: "true", [HEADER.runId]: "wfr_1" },
    });
    await w.engine.idle();
    expect(w.calls[0]?.headers.get(HEADER.sdkVersion)).toBe("1");
  });
});
