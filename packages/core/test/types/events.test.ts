import { type } from "arktype";
import * as v from "valibot";
import { describe, expectTypeOf, it } from "vitest";
import { z } from "zod";
import {
  defineEvent,
  type EventResponse,
  type WebhookEventResponse,
  type WorkflowEvent,
} from "../../src/index.ts";
import { compiles } from "../support/compiles.ts";

interface Approval {
  readonly ok: boolean;
  readonly at: Date;
}

const approval = defineEvent("approval", z.object({ ok: z.boolean(), at: z.coerce.date() }));
const plain = defineEvent<Approval>("plain");

describe("a declared event", () => {
  it("has the type of its schema, of any vendor", () => {
    expectTypeOf(defineEvent("a", v.object({ ok: v.boolean() }))).toExtend<WorkflowEvent<{ ok: boolean }>>();
    expectTypeOf(defineEvent("a", type({ ok: "boolean" }))).toExtend<WorkflowEvent<{ ok: boolean }>>();
    expectTypeOf(approval.for("order-7")).toEqualTypeOf(approval);
  });

  it("types what a wait receives: the schema's output, or the JSON form of the written type", () => {
    compiles(async (context) => {
      const wait = await context.waitForEvent("w", approval, { timeout: "1d" });
      expectTypeOf(wait).toEqualTypeOf<EventResponse<{ ok: boolean; at: Date }>>();
      if (!wait.timeout) expectTypeOf(wait.eventData.at).toEqualTypeOf<Date>();
      const other = await context.waitForEvent("w", plain.for("a"));
      expectTypeOf(other).toEqualTypeOf<EventResponse<{ readonly ok: boolean; readonly at: string }>>();
    });
  });

  it("types what is sent: the schema's input, or the written type", () => {
    compiles((context, client) => [
      context.notify("n", approval, { ok: true, at: "2027-01-01" }, "wfr_1"),
      client.notify({ eventId: plain, eventData: { ok: true, at: new Date() } }),
      client.notify({ eventId: "a name", eventData: 1 }),
    ]);
    // @ts-expect-error ok is a boolean
    compiles((context) => context.notify("n", approval, { ok: "yes", at: "2027-01-01" }));
    // @ts-expect-error ok is missing
    compiles((_, client) => client.notify({ eventId: approval, eventData: { at: "2027-01-01" } }));
    // @ts-expect-error a date's string isn't a Date
    compiles((_, client) => client.notify({ eventId: plain, eventData: { ok: true, at: "2027-01-01" } }));
  });

  it("types the body of a webhook's request", () => {
    compiles(async (context) => {
      const hook = await context.createWebhook("h");
      const hit = await context.waitForWebhook("w", hook, "1h", approval);
      expectTypeOf(hit).toEqualTypeOf<WebhookEventResponse<{ ok: boolean; at: Date }>>();
      if (!hit.timeout) expectTypeOf(hit.eventData.ok).toEqualTypeOf<boolean>();
    });
  });
});
