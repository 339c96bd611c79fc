import { z } from "zod";
import type { RunSummary } from "../store/lists.ts";
import { count, cursor as cursorOf, toCursor } from "./parameters.ts";
import { type Output, type Routes, route } from "./route.ts";
import { RUN_FILTERS, toRunFilter } from "./run-filters.ts";
import { errorView, headView, invokerView } from "./run-log.ts";
import { invoker, runHead } from "./run-schemas.ts";
import { cursor, time } from "./schemas.ts";

const MAX_PAGE_SIZE = 200;
const DEFAULT_PAGE_SIZE = 50;

const summary = z
  .object({
    ...runHead,
    labels: z.array(z.string()).optional(),
    flowControlKey: z.string().optional(),
    stepCount: z.int().meta({ description: "Steps with a result on record." }),
    error: z.object({ name: z.string(), message: z.string() }).optional(),
    dlqId: z.string().optional(),
    invoker,
  })
  .meta({ id: "RunSummary", description: "A run without its steps, payload and result." });

/** The list of runs without their steps. */
export const listed = route({
  summary: "List runs without their steps, the newest first",
  query: { ...RUN_FILTERS, count: count(MAX_PAGE_SIZE), cursor: cursorOf },
  answers: { 200: z.object({ runs: z.array(summary), ...cursor }) },
  async handle(input, service) {
    const { count: size = DEFAULT_PAGE_SIZE, cursor: before, ...filters } = input.query;
    const filter = await toRunFilter(filters, input, service);
    const { items, next } = await service.store.runSummaries({ ...filter, count: size, before });
    return { runs: items.map(summaryView), ...toCursor(next) };
  },
});

export const runCounts = {
  "/v2/workflows/counts": {
    GET: route({
      summary: "Count the runs that match, by their states",
      query: RUN_FILTERS,
      answers: {
        200: z
          .object({
            total: z.int(),
            states: z.object({
              RUN_STARTED: z.int(),
              RUN_SUCCESS: z.int(),
              RUN_FAILED: z.int(),
              RUN_CANCELED: z.int(),
            }),
          })
          .meta({ id: "RunCounts" }),
      },
      async handle(input, service) {
        const states = await service.store.countRuns(await toRunFilter(input.query, input, service));
        return { total: Object.values(states).reduce((sum, one) => sum + one, 0), states };
      },
    }),
  },
} satisfies Routes;

/** Route for forms that suggest workflows. */
export const knownWorkflows = {
  "/v2/workflows/urls": {
    GET: route({
      summary: "List the URLs of the workflows among the newest runs, the latest used first",
      answers: {
        200: z
          .object({ urls: z.array(z.object({ workflowUrl: z.string(), lastRunCreatedAt: time })) })
          .meta({ id: "KnownWorkflows" }),
      },
      async handle(_, { store }) {
        const known = await store.workflowUrls();
        return { urls: known.map(({ url, lastAt }) => ({ workflowUrl: url, lastRunCreatedAt: lastAt })) };
      },
    }),
  },
} satisfies Routes;

function summaryView({ run, steps, failure }: RunSummary): Output<typeof summary> {
  const { name, message } = failure ? errorView(failure) : {};
  return {
    ...headView(run),
    ...(run.config.labels.length > 0 ? { labels: run.config.labels } : {}),
    ...(run.config.flow ? { flowControlKey: run.config.flow.key } : {}),
    stepCount: steps,
    ...(name === undefined || message === undefined ? {} : { error: { name, message } }),
    ...(run.dlqId === undefined ? {} : { dlqId: run.dlqId }),
    ...(run.invoker ? { invoker: invokerView(run.invoker) } : {}),
  };
}
