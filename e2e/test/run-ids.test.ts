import { DEV_CREDENTIALS, HEADER } from "@perdure/core/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Lab } from "./support/lab.ts";

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(() => lab.stop());

/** Every visible ASCII character but the comma, which separates ids in lists. */
const VISIBLE = Array.from({ length: 0x7e - 0x20 }, (_, at) => String.fromCharCode(0x21 + at)).filter(
  (one) => one !== ",",
);

describe("a run's id", () => {
  it("may have any visible character: the run can be read, waited for, told of an event, and cancelled", async () => {
    const url = lab.serve((context) => context.waitForEvent("paid", "paid"));
    for (const name of [...VISIBLE.map((one) => `a${one}b`), VISIBLE.join(""), "%2C", "%zz", "../x"]) {
      const id = `wfr_${name}`;
      expect(await lab.client.trigger({ url, workflowRunId: name })).toMatchObject({ workflowRunId: id });
      await lab.idle();
      expect(await lab.run(id), name).toMatchObject({ workflowRunId: id, workflowState: "RUN_STARTED" });
      await lab.client.notify({ eventId: "paid", eventData: 1, workflowRunId: id });
      await lab.idle();
      expect(await lab.client.runs.wait(id), name).toMatchObject({
        workflowRunId: id,
        result: { eventData: 1 },
      });
      await lab.client.trigger({ url, workflowRunId: name });
      await lab.idle();
      expect(await lab.client.cancel(id), name).toEqual({ cancelled: 1 });
      expect(await lab.run(id), name).toMatchObject({ workflowState: "RUN_CANCELED" });
    }
  });

  it("is part of its webhooks' addresses, whatever characters it has", async () => {
    const addresses: string[] = [];
    const url = lab.serve(async (context) => {
      const webhook = await context.createWebhook("make");
      addresses.push(webhook.webhookUrl);
      const { request } = await context.waitForWebhook("wait", webhook, "1h");
      return request?.text();
    });
    for (const name of ["a/b", "a%b", "a?b", "a#b", 'a"b', "a%2Fb"]) {
      const { workflowRunId } = await lab.client.trigger({ url, workflowRunId: name });
      await lab.idle();
      expect((await fetch(addresses.at(-1) ?? "", { method: "POST", body: name })).status, name).toBe(200);
      await lab.idle();
      expect(await lab.client.runs.wait(workflowRunId), name).toMatchObject({ result: name });
    }
  });

  it.each(["a,b", "a b", "ž", ""])("isn't %j: that is refused when the run is triggered", async (name) => {
    const url = lab.serve(() => 1);
    await expect(lab.client.trigger({ url, workflowRunId: name })).rejects.toThrow(/workflowRunId must be/);
  });

  it("isn't a list: the engine refuses it from any client", async () => {
    const headers = { Authorization: `Bearer ${DEV_CREDENTIALS.token}`, [HEADER.runId]: "wfr_a,b" };
    const answer = await fetch(`${lab.url}/v2/trigger/https://app.test/wf`, { method: "POST", headers });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining("without a comma")]);
  });
});
