import { z } from "zod";
import { STREAM_EVENTS } from "../watch/stream-events.ts";
import { duration, list, someOf, text, urls } from "./parameters.ts";
import { type Routes, route } from "./route.ts";

const MEDIA = "text/event-stream";
const DAY = 86_400_000;

/** Route of the live stream. */
export const stream = {
  "/v2/workflows/stream": {
    GET: route({
      summary:
        "Stream what changes in runs, messages, dead letters, queues, keys and schedules, as Server-Sent Events",
      query: {
        event: someOf(STREAM_EVENTS),
        label: list,
        lastEventId: text,
        timeout: duration(DAY),
        workflowRunId: list,
        workflowUrl: urls,
      },
      answers: { 200: z.custom<Response>() },
      media: MEDIA,
      async handle({ query, lastEventId, sender }, { streams, hidePayloads }) {
        const body = streams.open({
          events: query.event,
          runIds: query.workflowRunId,
          urls: query.workflowUrl,
          labels: query.label,
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
