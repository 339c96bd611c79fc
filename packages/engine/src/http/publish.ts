import { HEADER, LOWERCASE_HEADER } from "@perdure/core/protocol";
import { z } from "zod";
import { publishRequest } from "../commands/publish-request.ts";
import type { PublishRequest } from "../rules/new-message.ts";
import { OPTION_HEADERS } from "../rules/option-headers.ts";
import { raw } from "./json.ts";
import { destination, named } from "./parameters.ts";
import { publishedView, sent, toPublishRequest } from "./published.ts";
import { type Output, type Routes, route } from "./route.ts";
import { published } from "./schemas.ts";
import type { Service } from "./service.ts";

// Requests to enqueue name the queue in the path.
const { [HEADER.queueName]: _, ...besidesQueue } = OPTION_HEADERS;

const common = {
  foreignQuery: true,
  body: raw,
  answers: { 200: sent, 202: z.union([published, z.array(published)]) },
  /** Answers 202 when every message is a duplicate. */
  status: (shown: Output<typeof sent>) =>
    [shown].flat().every((one) => "deduplicated" in one && one.deduplicated) ? 202 : 200,
} as const;

export const publishing = {
  "/v2/publish/*": {
    POST: route({
      ...common,
      summary:
        "Publish a message, the start of a run or a step of one; with a cron expression, make a schedule",
      headers: OPTION_HEADERS,
      path: "/v2/publish/{destination}",
      params: { destination },
      handle: (input, service) => publish(toPublishRequest(input.params.destination, input), service),
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
        return publish(toPublishRequest(url, { ...input, headers }), service);
      },
    }),
  },
} satisfies Routes;

/** The answer to a request to publish. */
export async function publish(
  request: PublishRequest,
  { store, limits }: Service,
): Promise<Output<typeof sent>> {
  return publishedView(await publishRequest(store, request, limits));
}
