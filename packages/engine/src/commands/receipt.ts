import type { NewMessage } from "../rules/message.ts";
import type { Run } from "../rules/run.ts";
import type { Receipt } from "../store/receipt.ts";

/** The answer to a request to publish. */
export function receipt(
  message: Pick<NewMessage, "id" | "url">,
  run: Pick<Run, "id" | "createdAt"> | undefined,
  deduplicated: boolean,
): Receipt {
  return {
    messageId: message.id,
    url: message.url,
    deduplicated,
    run: run && { id: run.id, createdAt: run.createdAt },
  };
}
