import { parseTrigger } from "../rules/command.ts";
import { OPTION_HEADERS } from "../rules/option-headers.ts";
import type { Receipt } from "../store/receipt.ts";
import { raw } from "./json.ts";
import { destination } from "./parameters.ts";
import { type Output, type Routes, route } from "./route.ts";
import { triggered } from "./schemas.ts";
import { submit, toPublishRequest } from "./submit.ts";

export const triggers: Routes = {
  "/v2/trigger/*": {
    POST: route({
      summary: "Start a workflow run for a sender that knows nothing of its endpoint's protocol",
      path: "/v2/trigger/{destination}",
      params: { destination },
      foreignQuery: true,
      headers: OPTION_HEADERS,
      body: raw,
      answers: { 200: triggered },
      async handle(input, service) {
        const command = parseTrigger(toPublishRequest(input.params.destination, input), service.limits);
        const [receipt] = (await submit([command], service)) as [Receipt];
        return toRunAnswer(receipt);
      },
    }),
  },
};

/** What the sender is told of a run. */
export function toRunAnswer({ run, deduplicated }: Receipt): Output<typeof triggered> {
  const { id, createdAt } = run as NonNullable<Receipt["run"]>;
  return { workflowRunId: id, workflowCreatedAt: createdAt, ...(deduplicated ? { deduplicated } : {}) };
}
