import { z } from "zod";
import type { LiveEvent, StreamFilter } from "../watch/event-streams.ts";
import { STREAM_EVENTS } from "../watch/stream-events.ts";
import { duration, list, someOf, text, urls } from "./parameters.ts";
import { type Routes, route, type Values } from "./route.ts";

const MEDIA = "text/event-stream";
const DAY = 86_400_000;

/** The events that a reader asks for. */
const FILTERS = {
  event: someOf(STREAM_EVENTS),
  label: list,
  lastEventId: text,
  workflowRunId: list,
  workflowUrl: urls,
} as const;

function toStreamFilter(query: Values<typeof FILTERS>): StreamFilter {
  return {
    events: query.event,
    runIds: query.workflowRunId,
    urls: query.workflowUrl,
    labels: query.label,
    lastEventId: query.lastEventId,
  };
}

/** The live stream for callers in this process, without HTTP. */
export const liveEvents = route({
  summary: "Stream what changes",
  query: FILTERS,
  answers: { 200: z.custom<AsyncGenerator<LiveEvent, void>>() },
  handle: ({ query, signal }, { streams }) => streams.events(toStreamFilter(query), signal?.()),
});

/** Route of the live stream. */
export const stream = {
  "/v2/workflows/stream": {
    GET: route({
      summary:
        "Stream what changes in runs, messages, dead letters, queues, keys and schedules, as Server-Sent Events",
      query: { ...FILTERS, timeout: duration(DAY) },
      answers: { 200: z.custom<Response>() },
      media: MEDIA,
      async handle({ query, lastEventId, sender }, { streams, hidePayloads }) {
        const body = streams.open({
          ...toStreamFilter(query),
          lastEventId: query.lastEventId ?? lastEventId,
          ms: query.timeout,
          hidesErrors: hidePayloads && sender.access === "read only",
        });
        return new Response(body, {
          headers: { "Content-Type": MEDIA, "Cache-Control": "no-store", "X-Accel-Buffering": "no" },
        });
      },
    }),
  },
} satisfies Routes;
