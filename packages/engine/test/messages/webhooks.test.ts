import { HEADER } from "@perdure/core/protocol";
import { describe, expect, it } from "vitest";
import { APP, decode, result, type World, world } from "../harness.ts";
import { type Act, createdWebhook, recordsOf, to, waitStep, workflow } from "../steps.ts";

const EVENT = "evt_secret";
const PATH = `/v2/workflows/hooks/defaultUser/wfr_1/${EVENT}`;

const createStep: Act = ({ id, runId, self }) => self.append(runId, [createdWebhook(id, EVENT)]);

/** A step whose delivery is far away. */
const later: Act = ({ id, runId, self }) => self.append(runId, [result(id)], { [HEADER.delay]: "1h" });

const hit = (w: World, method: string, path = PATH, body?: string, headers: Record<string, string> = {}) =>
  w.ask(method, path, { token: null, headers, ...(body === undefined ? {} : { body }) });

const outOf = (w: World, at: number) => {
  const record = recordsOf(to(w, APP).at(-1) as never)[at];
  return JSON.parse(decode(record?.out ?? ""));
};

describe("a webhook", () => {
  it("takes any request, without a token, and hands all of it to the step that waits", async () => {
    const w = world(workflow(createStep, waitStep(EVENT, "1h", "WaitForWebhook")));
    await w.start("wfr_1");
    await w.engine.idle();
    const answer = await hit(w, "PATCH", `${PATH}?x=1&y=%20`, "žluť", { "X-Sent-By": "them" });
    expect(answer).toMatchObject({ status: 200, body: {} });
    await w.engine.idle();
    expect(outOf(w, 1)).toEqual({
      method: "PATCH",
      header: expect.objectContaining({ "X-Sent-By": ["them"] }),
      body: Buffer.from("žluť").toString("base64"),
      proto: "http",
      host: "engine.test",
      url: `${PATH}?x=1&y=%20`,
    });
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("keeps what comes before anybody waits, and gives it out in order", async () => {
    const hooked = waitStep(EVENT, "1h", "WaitForWebhook");
    const hits: Act = async (at) => {
      await hit(at.self, "POST", PATH, "one");
      await hit(at.self, "GET");
      return at.self.append(at.runId, [result(at.id)]);
    };
    const w = world(workflow(createStep, hits, hooked, hooked));
    await w.start("wfr_1");
    await w.drain();
    expect([outOf(w, 2), outOf(w, 3)]).toMatchObject([
      { method: "POST", body: Buffer.from("one").toString("base64") },
      { method: "GET", body: "" },
    ]);
  });

  it("is good for what the run has made as one, and for nothing else", async () => {
    const w = world(workflow(createStep, waitStep("approved")));
    await w.start("wfr_1");
    await w.engine.idle();
    const gone = { status: 404, body: { error: "there is no such webhook" } };
    expect(await hit(w, "POST", "/v2/workflows/hooks/defaultUser/wfr_1/approved", "yes")).toMatchObject(gone);
    expect(await hit(w, "POST", "/v2/workflows/hooks/defaultUser/wfr_none/x")).toMatchObject(gone);
    await w.ask("DELETE", "/v2/workflows/runs/wfr_1?cancel=true");
    expect(await hit(w, "POST")).toMatchObject(gone);
    expect((await hit(w, "GET", "/v2/workflows/hooks/defaultUser/wfr_1")).status).toBe(401);
  });

  it("refuses what is too large", async () => {
    const w = world(workflow(createStep, waitStep(EVENT)), { limits: { requestBytes: 2000 } });
    await w.start("wfr_1");
    await w.engine.idle();
    expect((await hit(w, "POST", PATH, "x".repeat(2001))).status).toBe(413);
  });

  /** Sends a request whose body tells whether it was read. */
  async function hitUnread(w: World, path = PATH) {
    let read = false;
    const pull = (to: ReadableStreamDefaultController): void => {
      read = true;
      to.enqueue(new Uint8Array(10));
      to.close();
    };
    const body = new ReadableStream({ pull }, { highWaterMark: 0 });
    const init = { method: "POST", body, duplex: "half" };
    const { status, headers } = await w.engine.fetch(new Request(`http://engine.test${path}`, init));
    return { status, read, retryAfter: headers.get("Retry-After") };
  }

  it("that isn't there, or keeps all that it may, is refused before the body is read", async () => {
    const w = world(workflow(createStep, later), { limits: { webhookHits: 2 } });
    await w.start("wfr_1");
    await w.engine.idle();
    const unknown = { status: 404, read: false, retryAfter: null };
    expect(await hitUnread(w, `${PATH}x`)).toEqual(unknown);
    expect(await hitUnread(w, "/v2/workflows/hooks/defaultUser/wfr_2/evt")).toEqual(unknown);
    for (let at = 0; at < 2; at++) expect(await hitUnread(w)).toMatchObject({ status: 200, read: true });
    expect(await hitUnread(w)).toEqual({ status: 429, read: false, retryAfter: "60" });
    await w.ask("DELETE", "/v2/workflows/runs/wfr_1?cancel=true");
    expect(await hitUnread(w)).toEqual(unknown);
  });

  it("takes more when the run has waited for what it keeps", async () => {
    const wait = waitStep(EVENT, "1h", "WaitForWebhook");
    const fill: Act = async (at) => {
      for (const status of [200, 429]) expect((await hit(at.self, "POST")).status).toBe(status);
      return at.self.append(at.runId, [result(at.id)]);
    };
    const w = world(workflow(createStep, fill, wait, wait, wait), { limits: { webhookHits: 1 } });
    await w.start("wfr_1");
    await w.engine.idle();
    // It waits now: nothing is kept.
    for (let at = 0; at < 2; at++) {
      expect((await hit(w, "POST")).status).toBe(200);
      await w.engine.idle();
    }
    expect((await w.run("wfr_1")).workflowState).toBe("RUN_SUCCESS");
  });

  it("keeps no more than it may when many come at once", async () => {
    const w = world(workflow(createStep, later), { limits: { webhookHits: 3 } });
    await w.start("wfr_1");
    await w.engine.idle();
    const answers = await Promise.all(Array.from({ length: 10 }, () => hit(w, "POST")));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(3);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(7);
  });

  it("takes a proxy's word for its address only when told to", async () => {
    const headers = { "X-Forwarded-Proto": "https", "X-Forwarded-Host": "hooks.example.com, inner" };
    for (const trustProxy of [false, true]) {
      const w = world(workflow(createStep, waitStep(EVENT, "1h", "WaitForWebhook")), { trustProxy });
      await w.start("wfr_1");
      await w.engine.idle();
      await hit(w, "POST", PATH, "x", headers);
      await w.engine.idle();
      expect(outOf(w, 1)).toMatchObject(
        trustProxy ? { proto: "https", host: "hooks.example.com" } : { proto: "http", host: "engine.test" },
      );
    }
  });
});
