import { z } from "zod";
import { changeMatchingRuns } from "../commands/change-matching-runs.ts";
import { affectedBy } from "../queries/affected-runs.ts";
import { invalid } from "../rules/engine-error.ts";
import { OPTION_HEADERS } from "../rules/option-headers.ts";
import type { BulkAction } from "../store/lists.ts";
import { cursor as cursorOf, flag, toCursor } from "./parameters.ts";
import { readChanges } from "./resume.ts";
import { type Routes, route } from "./route.ts";
import { hasRunFilter, RUN_FILTERS, toRunFilter } from "./run-filters.ts";
import { cursor } from "./schemas.ts";

/** Runs that one request changes: the transaction that does so holds up other writes for a moment. */
const RUNS_PER_REQUEST = 100;

const done = z
  .object({
    dryRun: z.boolean(),
    matched: z.int().optional().meta({ description: "With dryRun: the runs that the action would change." }),
    changed: z.int().optional().meta({ description: "The runs that this request has changed." }),
    ...cursor,
  })
  .meta({ id: "BulkResult" });

/** Routes that change all runs that match a filter. */
export const bulkActions = {
  "/v2/workflows/bulk/cancel": bulk("cancel", "Cancel the live runs that match"),
  "/v2/workflows/bulk/resume": bulk("resume", "Resume the failed runs that match"),
  "/v2/workflows/bulk/restart": bulk("restart", "Restart the failed runs that match"),
} satisfies Routes;

function bulk(action: BulkAction, what: string) {
  return {
    POST: route({
      summary: `${what}, ${RUNS_PER_REQUEST} with each request, or count them with \`dryRun\``,
      ...(action === "cancel" ? {} : { headers: OPTION_HEADERS }),
      query: { ...RUN_FILTERS, all: flag, cursor: cursorOf, dryRun: flag },
      answers: { 200: done },
      async handle(input, service) {
        const { store, limits } = service;
        const { all, cursor: before, dryRun = false, ...filters } = input.query;
        const change = action === "cancel" ? { kind: action } : readChanges(input, action, limits);
        if (all !== true && !hasRunFilter(filters)) {
          throw invalid(
            "parameter all",
            "without a filter, this changes every run: ask for that with all=true",
          );
        }
        const query = await toRunFilter(filters, input, service);
        if (dryRun) {
          const counts = await store.countRuns(affectedBy(action, query));
          return { dryRun, matched: Object.values(counts).reduce((sum, one) => sum + one, 0) };
        }
        const page = { ...query, count: RUNS_PER_REQUEST, before };
        const { changed, next } = await changeMatchingRuns(store, page, change);
        return { dryRun, changed, ...toCursor(next) };
      },
    }),
  };
}
