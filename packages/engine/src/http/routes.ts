import { accessInfo } from "./access.ts";
import { appends } from "./append.ts";
import { auditLog } from "./audit-log.ts";
import { backups } from "./backup.ts";
import { batches } from "./batch.ts";
import { bulkActions } from "./bulk.ts";
import { deadLetterById, deadLetters } from "./dlq.ts";
import { events } from "./events.ts";
import { flows } from "./flows.ts";
import { signingKeys } from "./keys.ts";
import { logs } from "./logs.ts";
import { messages } from "./messages.ts";
import { numbers } from "./numbers.ts";
import { publishing } from "./publish.ts";
import { queues } from "./queues.ts";
import { resumes } from "./resume.ts";
import { retries } from "./retry.ts";
import type { Routes } from "./route.ts";
import { runDetails } from "./run-details.ts";
import { knownWorkflows, runCounts } from "./run-list.ts";
import { runWaits } from "./run-waits.ts";
import { runs } from "./runs.ts";
import { schedules } from "./schedules.ts";
import { stream } from "./stream.ts";
import { triggers } from "./trigger.ts";
import { urlGroups } from "./url-groups.ts";
import { waiting } from "./waiting.ts";
import { webhooks } from "./webhooks.ts";
import { workflowLogs } from "./workflow-logs.ts";

/** All routes of the API. The engine serves this table, and generates the OpenAPI document from it. */
export const ROUTES: Routes = {
  ...publishing,
  ...batches,
  ...triggers,
  ...messages,
  ...urlGroups,
  ...events,
  ...runs,
  ...runDetails,
  ...runCounts,
  ...knownWorkflows,
  ...bulkActions,
  ...runWaits,
  ...appends,
  ...workflowLogs,
  ...deadLetters,
  ...retries,
  ...resumes,
  ...deadLetterById,
  ...queues,
  ...schedules,
  ...flows,
  ...logs,
  ...stream,
  ...waiting,
  ...numbers,
  ...auditLog,
  ...accessInfo,
  ...signingKeys,
  ...backups,
  ...webhooks,
};
