import { createWorkflow as createCoreWorkflow, serveMany as serveManyOfCore } from "@perdure/core";
import type { APIContext, APIRoute } from "astro";
import { expect, expectTypeOf, it, vi } from "vitest";
import { createWorkflow, serve, serveMany } from "../src/astro.ts";

const OPEN = { env: { QSTASH_TOKEN: "t" }, verify: "off" } as const;

/** A context of Astro for the delivery of a run that has just begun. */
function delivered(locals: object): APIContext {
  const headers = { "Upstash-Workflow-Sdk-Version": "1", "Upstash-Workflow-RunId": "wfr_1" };
  const body = JSON.stringify([{ messageId: "msg_1", body: btoa("{}"), callType: "step" }]);
  const request = new Request("https://app.example.com/wf/order", { method: "POST", headers, body });
  return { request, locals } as unknown as APIContext;
}

it("gives a workflow Astro's context of each delivery", async () => {
  const seen: unknown[] = [];
  const see = async (_context: unknown, { locals }: APIContext): Promise<never> => {
    await Promise.resolve();
    seen.push(locals);
    throw new Error("enough");
  };
  vi.spyOn(console, "error").mockReturnValue();
  const { POST: one } = serve(see, OPEN);
  const { POST: many } = serveMany({ order: createWorkflow(see, OPEN), other: createCoreWorkflow(() => 1) });
  const contexts = [delivered({ of: "one" }), delivered({ of: "two" }), delivered({ of: "three" })] as const;
  const answers = await Promise.all([one(contexts[0]), one(contexts[1]), many(contexts[2])]);
  expect(answers.map(({ status }) => status)).toEqual([500, 500, 500]);
  expect(seen).toEqual(contexts.map(({ locals }) => locals));
  vi.restoreAllMocks();
});

it("says where such a workflow belongs", async () => {
  vi.spyOn(console, "error").mockReturnValue();
  const { handler } = serveManyOfCore({ order: createWorkflow(() => 1, OPEN) });
  const answer = await handler(delivered({}).request);
  expect(await answer.json()).toMatchObject({ message: expect.stringContaining("@perdure/adapters/astro") });
  vi.restoreAllMocks();
});

it("has Astro's types", () => {
  expectTypeOf(serve<string>)
    .parameter(0)
    .parameter(1)
    .toEqualTypeOf<APIContext>();
  expectTypeOf(serve(() => 1, OPEN).POST).toExtend<APIRoute>();
});
