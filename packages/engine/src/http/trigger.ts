import { triggerRun } from "../commands/publish-request.ts";
import { OPTION_HEADERS } from "../rules/option-headers.ts";
import { raw } from "./json.ts";
import { destination } from "./parameters.ts";
import { toPublishRequest, triggeredView } from "./published.ts";
import { type Routes, route } from "./route.ts";
import { triggered } from "./schemas.ts";

export const triggers = {
  "/v2/trigger/*": {
    POST: route({
      summary: "Start a workflow run for a sender that knows nothing of its endpoint's protocol",
      path: "/v2/trigger/{destination}",
      params: { destination },
      foreignQuery: true,
      headers: OPTION_HEADERS,
      body: raw,
      answers: { 200: triggered },
      handle: async (input, { store, limits }) =>
        triggeredView(await triggerRun(store, toPublishRequest(input.params.destination, input), limits)),
    }),
  },
} satisfies Routes;
