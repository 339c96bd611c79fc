import { HEADER, toHttpUrl } from "@perdure/core/protocol";
import { z } from "zod";
import type { HistoryChoice } from "../queries/history.ts";
import { URL_TEXT } from "../rules/destination.ts";
import { invalid } from "../rules/engine-error.ts";
import { parseLease, type RunLease } from "../rules/run-lease.ts";
import type { RunQuery } from "../store/lists.ts";
import { DATES, PLACES, toDates } from "./filters.ts";
import { historyAnswer } from "./history-answer.ts";
import { json, optional, raw } from "./json.ts";
import { count, flag, list, part, time, urls } from "./parameters.ts";
import { type Input, type Output, type Routes, route, type Values } from "./route.ts";
import { listed } from "./run-list.ts";
import { base64, cancelled, id } from "./schemas.ts";
import type { Service } from "./service.ts";

const ALL = Number.MAX_SAFE_INTEGER - 1;
const DEFAULT_PAGE_SIZE = 100;

const entry = z
  .object({
    messageId: z.string(),
    body: base64,
    callType: z.enum(["step", "toCallback", "fromCallback", "attempt"]),
  })
  .meta({ id: "Entry", description: "Of a run's history." });

const params = { id: part };
const cancel = { cancel: flag };
const choice = { ended: flag, workflowCreatedAt: time };
const query = {
  ...DATES,
  ...PLACES,
  callerIp: list,
  count: count(ALL),
  flowControlKey: list,
  label: list,
  workflowRunIds: list,
  workflowUrl: urls,
  workflowUrlExactMatch: flag,
};

// Older clients select the runs in the body; an empty selection means all runs.
const selection = z.strictObject({
  workflowRunIds: z.array(id).optional(),
  workflowUrl: z.string().min(1).max(URL_TEXT.maxLength).optional(),
});

export const runs = {
  "/v2/workflows/runs": {
    GET: listed,
    DELETE: route({
      summary:
        "Cancel the runs that match, all of them without a filter; the newest 100 unless `count` says otherwise",
      query,
      body: optional(json("the selection", selection)),
      answers: { 200: cancelled },
      async handle(input, service) {
        const asked = toQuery(input.query, input.body);
        return { cancelled: await service.store.cancelRuns(asked) };
      },
    }),
  },
  "/v2/workflows/runs/:id": {
    GET: route({
      summary:
        "Get the history of a run that is alive or, if asked for, has ended; of several, the last one's",
      params,
      query: choice,
      answers: { 200: z.array(entry) },
      async respond({ params: { id }, query }, service) {
        return historyAnswer(await service.store.historyStart(id, toChoice(query)), service);
      },
      handle: ({ params: { id }, query }, { store }) => store.history(id, toChoice(query)),
    }),
    DELETE: route({
      summary: "End a run: cancel it or, with cancel=false, complete it with the body as its result",
      params,
      query: cancel,
      headers: { [HEADER.lease]: "The lease that must hold the run: of an endpoint that runs inline." },
      body: raw,
      answers: { 200: cancelled },
      handle: end,
    }),
  },
} satisfies Routes;

function toChoice({ ended, workflowCreatedAt }: Values<typeof choice>): HistoryChoice {
  return { ended: ended ?? false, createdAt: workflowCreatedAt };
}

/** Ends a run. An ended run is no error, because an endpoint that missed the answer repeats its request. */
async function end(
  input: Input<typeof params, typeof cancel, Uint8Array>,
  service: Service,
): Promise<Output<typeof cancelled>> {
  const { body } = input;
  const runId = input.params.id;
  // Without this parameter, the request only cancels the run.
  const { cancel = true } = input.query;
  const response = cancel || body.length === 0 ? undefined : new TextDecoder().decode(body);
  const state = cancel ? "RUN_CANCELED" : "RUN_SUCCESS";
  const end = await service.store.endRun(runId, { state, response, lease: leaseIn(input.headers) });
  return { cancelled: end === "ended" && cancel ? 1 : 0 };
}

function leaseIn(headers: ReadonlyMap<string, string>): RunLease | undefined {
  const value = headers.get(HEADER.lease.toLowerCase());
  if (value === undefined) return undefined;
  const lease = parseLease(value);
  if (!lease) throw invalid(HEADER.lease, `expected the header of a delivery, got ${JSON.stringify(value)}`);
  return lease;
}

/** Reads which runs to cancel. The body adds filters to those of the query, and replaces none. */
function toQuery(asked: Values<typeof query>, body: z.output<typeof selection> | undefined): RunQuery {
  const ids = asked.workflowRunIds ?? body?.workflowRunIds;
  if (ids) return { ids, count: ids.length };
  return {
    [asked.workflowUrlExactMatch ? "urls" : "urlPrefixes"]: asked.workflowUrl ?? toList(body?.workflowUrl),
    hosts: asked.host,
    paths: asked.path,
    labels: asked.label,
    callerIps: asked.callerIp,
    flowKeys: asked.flowControlKey,
    ...toDates(asked),
    count: asked.count ?? (body ? ALL : DEFAULT_PAGE_SIZE),
  };
}

function toList(url: string | undefined): string[] | undefined {
  return url === undefined ? undefined : [toHttpUrl(url) ?? url];
}
