import { history, RUN, runHeaders, sign } from "@perdure/test-support/delivery";
import { forgeriesOf, genuine, KINDS, type Sent, STRANGER, signedBy } from "@perdure/test-support/forgeries";
import { sampled } from "@perdure/test-support/sample";
import { expect, it } from "vitest";
import { type Answer, ask, deliver, type Scene } from "../scene.ts";
import { ORDER } from "./walk.ts";

const send = ({ url, ...sent }: Sent) =>
  ask(url, { ...sent, headers: { "Content-Type": "application/json", ...sent.headers } });

/** Refused, before any user code runs and anything is sent. */
export function forged(scene: () => Scene): void {
  const order = (kind: (typeof KINDS)[number]) => genuine(kind, `${scene().url}/order`, ORDER);

  it.each(KINDS)("lets a %s in, and refuses all that only looks like it", async (kind) => {
    const delivery = order(kind);
    expect((await send(await signedBy(delivery))).status).toBe(200);
    const before = seen(scene());
    // Core refuses them, whose own suite has all of them always.
    for (const [name, forgery] of sampled(await forgeriesOf(delivery), 6))
      expectRefused(name, await send(forgery));
    expect(seen(scene())).toEqual(before);
  });

  it.each(KINDS)("refuses a %s that was captured on its way to a workflow beside it", async (kind) => {
    const captured = await signedBy(genuine(kind, `${scene().url}/many/double`, 21));
    expectRefused(kind, await send({ ...captured, url: `${scene().url}/many/quadruple` }));
    expectRefused(kind, await send({ ...captured, url: `${scene().url}/order` }));
    expect(seen(scene())).toEqual([]);
    expect((await send(captured)).status).toBe(200);
  });

  it("refuses a delivery whose token says nothing of its kind, sent again as another kind", async () => {
    const body = history(ORDER);
    const token = { "Upstash-Signature": await sign(body, { subject: `${scene().url}/order` }) };
    for (const more of [
      { "Upstash-Workflow-Is-Failure": "true" },
      { "Upstash-Workflow-Failure-Callback": "true" },
      { "Upstash-Workflow-CallType": "cancelCall" },
      { "Upstash-Workflow-Callback": "true" },
    ]) {
      const headers = { ...runHeaders(), ...more, ...token };
      const { status } = await ask(`${scene().url}/order`, { headers, body });
      expect([400, 401]).toContain(status);
    }
    expect(seen(scene())).toEqual([]);
    expect((await ask(`${scene().url}/order`, { headers: { ...runHeaders(), ...token }, body })).status).toBe(
      200,
    );
  });

  it.each(["no", "throw", "truthy"])("refuses what the hook doesn't allow: %s", async (way) => {
    for (const kind of KINDS) {
      const { url, body, headers } = genuine(kind, `${scene().url}/answer`, { wish: "return" });
      const token = { claim: { kind, messageId: String(headers["Upstash-Message-Id"]), ...runOf(headers) } };
      const refused = { ...headers, "X-Conformance-Refuse": way };
      const answer = await deliver(scene(), "/answer", {
        body,
        headers: refused,
        token: { subject: url, ...token },
      });
      expect(answer.status).toBe(403);
      expectRefused(kind, answer);
    }
    expect(seen(scene())).toEqual([]);
  });

  it("takes the next key as well", async () => {
    const body = history(21);
    const answer = await deliver(scene(), "/many/double", {
      body,
      headers: runHeaders(),
      token: { key: "sig_next" },
    });
    expect(answer.status).toBe(200);
  });
}

function runOf(headers: Readonly<Record<string, string>>): { runId?: string } {
  return headers["Upstash-Workflow-RunId"] ? { runId: RUN } : {};
}

/** What user code has told and the engine was sent. */
function seen({ stand }: Scene): unknown[] {
  return [...stand.told, ...stand.sent.map(({ method, path }) => `${method} ${path}`)];
}

/** With a status that says so, and nothing that a forger could use. */
function expectRefused(name: string, { status, text }: Answer): void {
  expect([400, 401, 403], name).toContain(status);
  const { error, message, ...more } = JSON.parse(text);
  expect(more, name).toEqual({});
  expect(error, name).toBe("WorkflowError");
  // What can't be understood is said to be so, by the name of the header alone.
  if (status === 400)
    expect(message, name).toMatch(
      /^(?:The header \S+ occurs more than once|A \w+ request needs|Upstash-Workflow-Sdk-Version is)/,
    );
  else expect(message, name).toBe(STRANGER[status]);
}
