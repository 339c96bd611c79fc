import { expect, it } from "vitest";
import {
  base64,
  failureBody,
  failureHeaders,
  history,
  RUN,
  runHeaders,
  sign,
  type Token,
} from "../../../packages/core/test/support/delivery.ts";
import { ask, deliver, type Scene } from "../scene.ts";
import { callHeaders, ORDER } from "./walk.ts";

/** What a forger may try: the token that it comes with, for a body that would be acted on. */
const forgeries: Readonly<Record<string, (url: string, body: string) => Token>> = {
  "signed with another key": () => ({ key: "sig_of_a_stranger" }),
  "signed for a body that differs in one byte": (_url, body) => ({ body: body.replace("0", "1") }),
  "signed for another path": (url) => ({ subject: `${url}/answer` }),
  "signed for another query": (url) => ({ subject: `${url}/order?x=1` }),
  "expired a second ago": () => ({ expiresIn: -1 }),
  "of another issuer": () => ({ issuer: "Somebody" }),
  "of another run": () => ({ claim: { kind: "resume", runId: "wfr_other", messageId: "msg_last" } }),
};

const deliveries = {
  "a start": { body: JSON.stringify({ ...ORDER, id: "170" }), headers: {} },
  "a delivery": { body: history({ ...ORDER, id: "170" }), headers: runHeaders() },
  "the answer to a call": {
    body: JSON.stringify({ status: 200, header: {}, body: base64("0") }),
    headers: callHeaders(),
  },
  "a failure callback": { body: failureBody({ retried: 0 }), headers: failureHeaders() },
};

/** Refused with 401, before any user code runs and anything is sent. */
export function forged(scene: () => Scene): void {
  describeEach((what, { body, headers }) => {
    it(`refuses ${what} without a signature`, async () => {
      const answer = await ask(`${scene().url}/order`, {
        headers: { "Content-Type": "application/json", ...headers },
        body,
      });
      expectRefused(scene(), answer);
    });

    it(`refuses ${what} whose signature isn't one`, async () => {
      expectRefused(
        scene(),
        await deliver(scene(), "/order", { body, headers: { ...headers, "Upstash-Signature": "a.b.c" } }),
      );
    });

    it.each(Object.entries(forgeries))(`refuses ${what} %s`, async (_name, tokenOf) => {
      const token = tokenOf(scene().url, body);
      expectRefused(scene(), await deliver(scene(), "/order", { body, headers, token }));
    });
  });

  it("refuses a delivery to one workflow at the other, and takes it at its own", async () => {
    const body = history(21);
    const subject = `${scene().url}/many/double`;
    const headers = { ...runHeaders(), "Upstash-Signature": await sign(body, { subject }) };
    expectRefused(scene(), await ask(`${scene().url}/many/quadruple`, { headers, body }));
    expect((await ask(subject, { headers, body })).status).toBe(200);
  });

  it("refuses a delivery that is sent again as a failure callback", async () => {
    const body = history(ORDER);
    const token: Token = { claim: { kind: "resume", runId: RUN, messageId: "msg_last" } };
    const delivered = await deliver(scene(), "/order", { body, headers: runHeaders(), token });
    expect(delivered.status).toBe(200);
    const { told, sent } = scene().stand;
    const headers = failureHeaders({ "Upstash-Message-Id": "msg_last" });
    expect((await deliver(scene(), "/order", { body, headers, token })).status).toBe(401);
    expect(scene().stand).toMatchObject({ told, sent });
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

function describeEach(
  each: (what: string, delivery: { body: string; headers: Record<string, string> }) => void,
): void {
  for (const [what, delivery] of Object.entries(deliveries)) each(what, delivery);
}

function expectRefused({ stand }: Scene, answer: { status: number; text: string }): void {
  expect(answer.status).toBe(401);
  expect(JSON.parse(answer.text)).not.toHaveProperty("stack");
  expect([...stand.told, ...stand.sent]).toEqual([]);
}
