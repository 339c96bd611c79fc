import { z } from "zod";
import { createTimeSlices } from "../store/time-slices.ts";
import { duration, oneOf, part, time } from "./parameters.ts";
import { type Routes, route } from "./route.ts";
import { runView } from "./run-log.ts";
import { run, runState } from "./run-schemas.ts";
import { time as timeOf } from "./schemas.ts";

/** Shorter than the 30 seconds after which many proxies give up a request without an answer. */
const DEFAULT_WAIT_MS = 25_000;
const MAX_WAIT_MS = 60_000;

const ended = z
  .object({
    workflowState: runState,
    workflowRunCreatedAt: timeOf,
    run: run.optional(),
  })
  .meta({
    id: "RunEnd",
    description: "The run with its steps once it has ended; without `run` when the time is over before that.",
  });

/** Route for clients that wait for the end of a run: an ordinary request that the engine answers late. */
export const runWaits = {
  "/v2/workflows/runs/:id/wait": {
    GET: route({
      summary:
        "Wait until a run has ended, or the time is over; with `failureFunction=wait` also for its rollbacks and its failure or cancel function",
      params: { id: part },
      query: { timeout: duration(MAX_WAIT_MS), failureFunction: oneOf("wait"), workflowCreatedAt: time },
      answers: { 200: ended },
      async handle({ params: { id }, query, signal }, { runEnds }) {
        const { timeout: ms = DEFAULT_WAIT_MS, failureFunction, workflowCreatedAt: createdAt } = query;
        const choice = { id, createdAt, withReports: failureFunction === "wait" };
        const end = await runEnds.wait(choice, { ms, signal: signal?.() });
        return {
          workflowState: end.state,
          workflowRunCreatedAt: end.createdAt,
          ...(end.run ? { run: await runView(end.run, createTimeSlices()) } : {}),
        };
      },
    }),
  },
} satisfies Routes;
