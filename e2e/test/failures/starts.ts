import { expect } from "vitest";
import { PAYLOAD, RETRIES, WORKFLOW, type World } from "./world.ts";

/** A way to start a run. */
export interface Start {
  /** Whether the endpoint lets anybody in. */
  readonly open?: true;
  readonly start: (world: World) => Promise<unknown>;
  /** What is to be true in the end, beside what is of every failed run. */
  readonly check?: (world: World) => Promise<void>;
}

const json = (more: Record<string, string> = {}): RequestInit => ({
  method: "POST",
  headers: { "Content-Type": "application/json", ...more },
  body: JSON.stringify(PAYLOAD),
});

const PARENT = new URL("parent", WORKFLOW).href;
const EVERY_MINUTE = "* * * * *";

/** Lets a schedule tick once. */
async function tick(world: World, scheduleId: string): Promise<void> {
  // What the endpoint does may move the clock to the next tick.
  const { arrived, release } = world.hold();
  world.clock.advance(60_000 - (world.clock.now() % 60_000));
  await arrived;
  await world.client.schedules.delete(scheduleId);
  release();
}

async function parentOf({ client }: World) {
  return (await client.logs({ filter: { workflowUrl: PARENT } })).runs[0];
}

/** The ways in which a run can be started. Each gives it {@link RETRIES}. */
export const starts: Readonly<Record<string, Start>> = {
  "client.trigger": {
    start: ({ client }) =>
      client.trigger({ url: WORKFLOW, body: PAYLOAD, retries: RETRIES, retryDelay: "1000" }),
  },
  "a POST to the endpoint": {
    open: true,
    start: async (world) => {
      const { status } = await world.receive(new Request(WORKFLOW, json()));
      expect(status).toBe(200);
    },
  },
  "a published message": {
    start: (world) => world.ask(`/v2/publish/${WORKFLOW}`, json()),
  },
  "a schedule of the client": {
    start: async (world) => {
      const { scheduleId } = await world.client.schedules.create({
        url: WORKFLOW,
        cron: EVERY_MINUTE,
        body: PAYLOAD,
        retries: RETRIES,
      });
      await tick(world, scheduleId);
    },
  },
  "a schedule of QStash": {
    start: async (world) => {
      const init = json({ "Upstash-Cron": EVERY_MINUTE });
      const { scheduleId } = await world.ask<{ scheduleId: string }>(`/v2/schedules/${WORKFLOW}`, init);
      await tick(world, scheduleId);
    },
  },
  "context.call of a workflow": {
    start: ({ client }) => client.trigger({ url: PARENT, body: "call", retries: RETRIES }),
    check: async (world) => {
      // Whoever only calls doesn't wait for the end.
      expect(await parentOf(world)).toMatchObject({ workflowState: "RUN_SUCCESS" });
    },
  },
  "context.invoke": {
    start: ({ client }) => client.trigger({ url: PARENT, body: "invoke", retries: RETRIES }),
    check: async (world) => {
      const { workflowState, workflowRunResponse } = (await parentOf(world)) ?? {};
      expect({ workflowState, workflowRunResponse }).toEqual({
        workflowState: "RUN_SUCCESS",
        workflowRunResponse: '{"isFailed":true}',
      });
    },
  },
  "POST /v2/trigger": {
    start: (world) => world.ask(`/v2/trigger/${WORKFLOW}`, json({ "Upstash-Retries": String(RETRIES) })),
  },
};
