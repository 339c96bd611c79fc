import { base64, history, request, runHeaders } from "@perdure/test-support/delivery";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { Client, defineEvent, type Invokable, serve, type WorkflowContext } from "../src/index.ts";
import type { StepRecord } from "../src/protocol/index.ts";
import { deliver, open, useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const client = () => new Client({ baseUrl: recorder().url, token: "token" });
const approval = defineEvent("approval", z.object({ ok: z.boolean(), at: z.coerce.date() }));

const wait = (data: string): StepRecord => ({
  stepId: 1,
  stepName: "w",
  stepType: "Wait",
  concurrent: 1,
  waitEventId: "approval/7",
  out: base64(data),
});

const hit = (body: string): StepRecord => ({
  stepId: 1,
  stepName: "w",
  stepType: "WaitForWebhook",
  concurrent: 1,
  waitEventId: "evt_1",
  out: base64(
    JSON.stringify({
      method: "POST",
      header: {},
      body: base64(body),
      proto: "https",
      host: "a.example",
      url: "/hook",
    }),
  ),
});

async function result(workflow: (context: WorkflowContext) => unknown, record: StepRecord): Promise<unknown> {
  const answer = await deliver(open(recorder(), workflow), [record]);
  return answer.status === 200 ? JSON.parse(recorder().finished[0]?.body || "null") : answer;
}

describe("a declared event", () => {
  it("names the event that the run waits for", async () => {
    const handler = open(recorder(), (context) => context.waitForEvent("w", approval.for("7")));
    await handler(request(history({}), runHeaders()));
    expect(recorder().requests[0]?.path).toBe("/v2/wait/approval%2F7");
  });

  it("hands over what the schema makes of the data", async () => {
    const year = async (context: WorkflowContext) => {
      const event = await context.waitForEvent("w", approval.for("7"));
      return event.timeout ? "late" : [event.eventData.ok, event.eventData.at.getUTCFullYear()];
    };
    expect(await result(year, wait('{"ok":true,"at":"2027-01-01"}'))).toEqual([true, 2027]);
    recorder().reset();
    const { out, ...late } = wait("");
    expect(await result(year, { ...late, waitTimeout: true })).toBe("late");
  });

  it("fails the run for good when the data that has come doesn't fit", async () => {
    const answer = await result((context) => context.waitForEvent("w", approval.for("7")), wait('{"ok":1}'));
    expect(answer).toMatchObject({ status: 489 });
    expect(JSON.stringify(answer)).toMatch(
      /The data of event \\"approval\/7\\" doesn't fit its schema: ok: /,
    );
  });

  it("can be caught by the workflow, which may wait once more", async () => {
    const patient = async (context: WorkflowContext) => {
      try {
        return await context.waitForEvent("w", approval.for("7"));
      } catch (error) {
        return Object(error).code;
      }
    };
    expect(await result(patient, wait("nonsense"))).toBe("invalid_event");
  });

  it("ends no process when nothing awaits the wait", async () => {
    const careless = (context: WorkflowContext) => {
      void context.waitForEvent("w", approval.for("7"));
      return context.run("next", () => 1).then(() => 2);
    };
    await deliver(open(recorder(), careless), [wait("nonsense")]);
    expect(recorder().records).toMatchObject([{ stepName: "next", out: "1" }]);
  });

  it("validates a webhook's body, and leaves the request to read", async () => {
    const read = async (context: WorkflowContext) => {
      const webhook = { webhookUrl: "https://a.example/hook", eventId: "evt_1" };
      const call = await context.waitForWebhook("w", webhook, "1h", approval);
      return call.timeout ? "late" : [call.eventData.ok, await call.request.json()];
    };
    const body = { ok: true, at: "2027-01-01" };
    expect(await result(read, hit(JSON.stringify(body)))).toEqual([true, body]);
    recorder().reset();
    expect(await result(read, hit("{}"))).toMatchObject({ status: 489 });
  });

  it("is sent by a client and by a step once its data fits", async () => {
    const eventData = { ok: true, at: new Date(0) };
    await client().notify({ eventId: approval, eventData });
    expect(recorder().requests).toMatchObject([
      { path: "/v2/notify/approval", body: '{"ok":true,"at":"1970-01-01T00:00:00.000Z"}' },
    ]);
    recorder().reset();
    const notify = open(recorder(), (context) => context.notify("n", approval.for("7"), eventData));
    await notify(request(history({}), runHeaders()));
    expect(recorder().requests[0]).toMatchObject({ path: "/v2/notify/approval%2F7" });
  });

  it("isn't sent when its data doesn't fit", async () => {
    const eventData = JSON.parse('{"ok":"yes","at":"2027-01-01"}');
    await expect(client().notify({ eventId: approval, eventData })).rejects.toMatchObject({
      code: "invalid_event",
      message: expect.stringContaining("ok: "),
    });
    const answer = await deliver(
      open(recorder(), (context) => context.notify("n", approval, eventData)),
      [],
    );
    expect(answer.status).toBe(489);
    expect(recorder().requests).toEqual([]);
  });

  it("passes any data without a schema", async () => {
    expect(await defineEvent("plain").parse(1)).toBe(1);
  });

  it("refuses a name, a key and a schema that aren't ones", () => {
    expect(() => defineEvent("")).toThrow('An event\'s name must be a non-empty string; got "".');
    expect(() => approval.for("")).toThrow("An event's key must be a non-empty string");
    expect(() => defineEvent("a", JSON.parse("{}"))).toThrow("schema must be a Standard Schema");
  });
});

describe("trigger of a served workflow", () => {
  const url = "https://app.example.com/order";
  const workflow = async (context: WorkflowContext<{ id: number }>) => context.requestPayload.id;

  it("takes the URL from the workflow's definition, and the payload as it is typed", async () => {
    const started = await client().trigger(serve(workflow, { url }), { id: 7 }, { workflowRunId: "o-7" });
    expect(started.workflowRunId).toBe("wfr_o-7");
    expect(recorder().published).toMatchObject([{ destination: url, body: '{"id":7}' }]);
  });

  it("takes the URL that it is given, for a route of a framework as well", async () => {
    const route = (async () => new Response()) as (() => Promise<Response>) & Invokable<{ id: number }>;
    await client().trigger(serve(workflow, { url }), { id: 7 }, { url: `${url}/2` });
    await client().trigger(route, { id: 8 }, { url });
    await client().trigger(
      { POST: route } as { POST: unknown } & Invokable<{ id: number }>,
      { id: 9 },
      { url },
    );
    expect(recorder().published.map(({ destination, body }) => [destination, body])).toEqual([
      [`${url}/2`, '{"id":7}'],
      [url, '{"id":8}'],
      [url, '{"id":9}'],
    ]);
  });

  it("waits for the run, and refuses a workflow without a URL", async () => {
    await expect(client().trigger(serve(workflow), { id: 7 })).rejects.toThrow("url must be");
    recorder().answer = ({ path }) =>
      path.startsWith("/v2/workflows/runs/")
        ? {
            body: {
              workflowState: "RUN_SUCCESS",
              run: { workflowState: "RUN_SUCCESS", workflowRunResponse: "7" },
            },
          }
        : undefined;
    const ended = await client().trigger(serve(workflow, { url }), { id: 7 }, { wait: true });
    expect(ended.result).toBe(7);
    const started = await client().trigger(serve(workflow, { url }), { id: 7 });
    expect((await client().runs.wait(started)).result).toBe(7);
  });
});
