import { describe, expect, it } from "vitest";
import { Client } from "../src/index.ts";
import { useRecorder } from "./support/fixture.ts";

const recorder = useRecorder();
const client = () => new Client({ baseUrl: recorder().url, token: "token" });
const asked = () => recorder().requests.map(({ method, path }) => `${method} ${path}`);

describe("an id that no URL can carry", () => {
  const calls: Record<string, (id: string) => Promise<unknown>> = {
    "of an event": (eventId) => client().notify({ eventId }),
    "of an event's run": (workflowRunId) => client().notify({ eventId: "e", workflowRunId }),
    "of an event that is waited for": (eventId) => client().getWaiters({ eventId }),
    "of a run that is waited for": (id) => client().runs.wait(id),
    "of a schedule": (id) => client().schedules.get(id),
    "of a schedule to pause": (id) => client().schedules.pause(id),
    "of a schedule to delete": (id) => client().schedules.delete(id),
    "of a dead letter": (dlqId) => client().dlq.retryFailureFunction({ dlqId }),
    "of a dead letter to delete": (dlqId) => client().dlq.cancelFailureFunction({ dlqId }),
  };
  const ids = [".", "..", "\ud800", "a\udc00b", "\udc00\ud800"];
  it.each(Object.entries(calls))("%s is refused before a request", async (_, call) => {
    for (const id of ids) {
      const error = await Promise.resolve(id)
        .then(call)
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({
        message: expect.stringContaining(
          `must be well-formed, and not "." or ".."; got ${JSON.stringify(id)}.`,
        ),
      });
    }
    expect(asked()).toEqual([]);
  });

  it("is none of those that only look like it", async () => {
    for (const eventId of ["...", ".a", "a..", "\ud83d\ude00", "a/../b", "%2e%2e"])
      await client().notify({ eventId });
    expect(asked()).toEqual(
      ["...", ".a", "a..", "%F0%9F%98%80", "a%2F..%2Fb", "%252e%252e"].map((id) => `POST /v2/notify/${id}`),
    );
  });
});
