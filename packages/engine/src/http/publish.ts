import { HEADER, LOWERCASE_HEADER } from "@perdure/core/protocol";
import { z } from "zod";
import type { PublishRequest } from "../rules/new-message.ts";
import { OPTION_HEADERS } from "../rules/option-headers.ts";
import { isScheduled } from "../rules/schedule.ts";
import { resolve, sent, toAnswers } from "./destinations.ts";
import { raw } from "./json.ts";
import { destination, named } from "./parameters.ts";
import { type Output, type Routes, route } from "./route.ts";
import { createSchedule, scheduled } from "./schedules.ts";
import type { Service } from "./service.ts";
import { submit, submitAll, toPublishRequest } from "./submit.ts";

const answer = z.union([sent, scheduled]);

// Its path says which queue.
const { [HEADER.queueName]: _, ...besidesQueue } = OPTION_HEADERS;

const common = {
  foreignQuery: true,
  body: raw,
  answers: { 200: answer, 202: sent },
  /** 202 for what is there already. */
  status: (shown: Output<typeof answer>) =>
    [shown].flat().every((one) => "deduplicated" in one && one.deduplicated) ? 202 : 200,
} as const;

export const publishing: Routes = {
  "/v2/publish/*": {
    POST: route({
      ...common,
      summary:
        "Publish a message, the start of a run or a step of one; with a cron expression, make a schedule",
      headers: OPTION_HEADERS,
      path: "/v2/publish/{destination}",
      params: { destination },
      handle: (input, service) => send(toPublishRequest(input.params.destination, input), service),
    }),
  },
  "/v2/enqueue/*": {
    POST: route({
      ...common,
      summary: "Put a message in a queue, which is made if there is none",
      headers: besidesQueue,
      path: "/v2/enqueue/{queue}/{url}",
      params: { queue: named("queue"), url: destination },
      handle(input, service) {
        const { queue, url } = input.params;
        const headers = new Map(input.headers).set(LOWERCASE_HEADER.queueName, queue);
        return send(toPublishRequest(url, { ...input, headers }), service);
      },
    }),
  },
};

async function send(request: PublishRequest, service: Service): Promise<Output<typeof answer>> {
  if (isScheduled(request.headers)) return createSchedule(request, service);
  const asked = await resolve(request, service);
  return toAnswers(asked, await (asked.toGroup ? submitAll : submit)(asked.commands, service));
}
