import { z } from "zod";
import type { Published, PublishedMessages } from "../commands/publish-request.ts";
import { EngineError } from "../rules/engine-error.ts";
import type { PublishRequest } from "../rules/new-message.ts";
import type { Receipt } from "../store/receipt.ts";
import type { Input, None, Output } from "./route.ts";
import { error, published, scheduled, type triggered } from "./schemas.ts";

type View = Output<typeof published>;

/** The answer to a message, to one message for each endpoint of a URL group, or to a schedule. */
export const sent = z.union([published, z.array(published), scheduled]);

/** The answer to one item of a batch. */
export const sentItem = z.union([published, z.array(published), error]);

/** A request to publish, to a destination that its path names. */
export function toPublishRequest(
  destination: string,
  { headers, body, callerIp, now }: Input<None, None, Uint8Array>,
): PublishRequest {
  return { destination, headers, body, callerIp, now };
}

export function publishedView(one: Published): Output<typeof sent> {
  return one.kind === "schedule" ? { scheduleId: one.id } : messagesView(one);
}

export function itemView(one: PublishedMessages | EngineError): Output<typeof sentItem> {
  return one instanceof EngineError ? { error: one.message } : messagesView(one);
}

function messagesView(one: PublishedMessages): View | readonly View[] {
  return one.kind === "group" ? one.receipts.map(receiptView) : receiptView(one.receipt);
}

/** @param receipt of the start of a run */
export function triggeredView({ run, deduplicated }: Receipt): Output<typeof triggered> {
  const { id, createdAt } = run as NonNullable<Receipt["run"]>;
  return { workflowRunId: id, workflowCreatedAt: createdAt, ...(deduplicated ? { deduplicated } : {}) };
}

function receiptView({ messageId, url, deduplicated, run }: Receipt): View {
  return {
    messageId,
    url,
    ...(deduplicated ? { deduplicated } : {}),
    ...(run ? { workflowRunId: run.id, workflowCreatedAt: run.createdAt } : {}),
  };
}
