import { WorkflowContext } from "../context.ts";
import { readLedger } from "../group.ts";
import type { Resume } from "../protocol/delivery.ts";
import { cutAfter, type HistoryEntry, parseHistory, readHistory } from "../protocol/history.ts";
import { stepMessage } from "../protocol/message.ts";
import type { Outcome } from "../protocol/outcome.ts";
import { type Ending, type Entry, invoke } from "../run.ts";
import { serialize } from "../steps/index.ts";
import { factsOf, type Visit } from "./room.ts";

/** Takes a run up where its history ends: replays what is recorded and does what comes next. */
export async function resume(visit: Visit<Resume>): Promise<Outcome> {
  const { runId } = visit.delivery;
  const entries = await historyOf(visit);
  if (!entries) return { kind: "done", runId, finish: "workflow-already-ended" };
  const history = readHistory(entries);
  if (history.duplicate) return { kind: "done", runId, finish: "duplicate-step" };
  const ledger = readLedger(history.records);
  if (ledger.phase.kind === "wait") return { kind: "done", runId, finish: "success" };
  const facts = factsOf(visit, await visit.served.parsePayload(history.payload));
  const ending = await invoke({
    ledger,
    start: (request) => visit.served.workflow(new WorkflowContext(facts, request)),
    append: (appended) => append(visit, appended),
  });
  return conclude(visit, ending);
}

// A history that is too large for a delivery isn't sent along.
async function historyOf({
  border,
  mail,
  delivery,
}: Visit<Resume>): Promise<readonly HistoryEntry[] | undefined> {
  if (mail.bytes.length > 0) return parseHistory(mail.body);
  const entries = await border.engine().history(delivery.runId);
  return entries && cutAfter(entries, delivery.messageId ?? "");
}

async function append(
  { border, mail, delivery }: Visit<Resume>,
  entries: readonly Entry[],
): Promise<"recorded" | "over"> {
  const url = border.workflowUrl(mail.url);
  const messages = entries.map(({ record, schedule }) =>
    stepMessage({ url, runId: delivery.runId, record, ...schedule }),
  );
  return (await border.engine().append(delivery.runId, messages)) === "ended" ? "over" : "recorded";
}

async function conclude({ border, delivery }: Visit<Resume>, ending: Ending): Promise<Outcome> {
  const { runId } = delivery;
  switch (ending.kind) {
    case "recorded":
      return { kind: "done", runId, finish: "success" };
    case "over":
      return { kind: "done", runId, finish: "workflow-already-ended" };
    case "threw":
      return { kind: "failed", error: ending.error, step: ending.step };
    case "returned": {
      const finished = await border.engine().finish(runId, serialize(ending.result, "The workflow's result"));
      return { kind: "done", runId, finish: finished ? "success" : "workflow-already-ended" };
    }
    default:
      return ending satisfies never;
  }
}
