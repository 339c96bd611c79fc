import { toRunId } from "../kernel/ids.ts";
import type { Start } from "../protocol/delivery.ts";
import { HEADER } from "../protocol/headers.ts";
import { decodeRunOptions, startMessage } from "../protocol/message.ts";
import type { Outcome } from "../protocol/outcome.ts";
import { userHeaders, type Visit } from "./room.ts";

/** Asks the engine for a run with the request's body as its payload. No user code is run. */
export async function start({ served, border, mail, delivery }: Visit<Start>): Promise<Outcome> {
  // Named after the message that starts it: when an engine delivers that one again, it finds the run and starts no second.
  const runId = delivery.runId ?? toRunId(delivery.messageId);
  const message = startMessage({
    ...served.runOptions,
    ...decodeRunOptions(mail.headers.get(HEADER.runOptions)),
    url: border.workflowUrl(mail.url),
    runId,
    body: mail.bytes.length > 0 ? mail.body : undefined,
    contentType: mail.headers.get(HEADER.contentType) ?? undefined,
    headers: headersToKeep(mail.headers),
    configures: delivery.runId !== undefined,
  });
  const [receipt] = await border.engine().create([message]);
  if (receipt instanceof Error) throw receipt;
  return { kind: "done", runId, finish: "success" };
}

/** True of this connection only, or secrets of the caller that must not be stored with the run. */
const NOT_KEPT = new Set(
  `accept-encoding authorization connection content-length content-type cookie expect host keep-alive
   proxy-authorization te trailer transfer-encoding upgrade user-agent`.split(/\s+/),
);

function headersToKeep(headers: Headers): Record<string, string> {
  const kept: Record<string, string> = {};
  userHeaders(headers).forEach((value, name) => {
    if (!NOT_KEPT.has(name) && !name.startsWith("upstash-") && name !== HEADER.runOptions.toLowerCase())
      kept[name] = value;
  });
  return kept;
}
