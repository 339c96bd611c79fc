import type { Scenario } from "../support/scenario.ts";
import { apis, callAnswers, calls } from "./call.ts";
import { cancels, logPages, notifies, waiters } from "./client.ts";
import { badUrls, contexts, regions } from "./context.ts";
import { deletions, functionRetries, lists, restarts, resumes } from "./dlq.ts";
import { doors, signatures } from "./door.ts";
import { refusals, unreachable } from "./engine.ts";
import { earlyErrors, payloads, stepErrors, workflowErrors } from "./errors.ts";
import { notifications, waitResults, waits, webhooks } from "./events.ts";
import { failureFunctions, failures } from "./failure.ts";
import { callsOfWorkflows, invokeResults, invokes, manyWorkflows } from "./many.ts";
import { middlewares, overhearing } from "./middleware.ts";
import { groups, mixedGroups, otherGroups } from "./parallel.ts";
import { callResults, duplicates, lazyHistories, runResults } from "./results.ts";
import { ends, runs, sleeps } from "./sequential.ts";
import { firstDeliveries, starts, unknownSdkStarts } from "./start.ts";
import { refusedTriggers, triggers } from "./trigger.ts";

/** Everything that is compared. */
export const scenarios: readonly Scenario[] = [
  ...[triggers, refusedTriggers, starts, unknownSdkStarts, firstDeliveries],
  ...[runs, ends, sleeps, calls, apis, callAnswers, callResults, runResults],
  ...[waits, waitResults, notifications, webhooks],
  ...[invokes, invokeResults, callsOfWorkflows, manyWorkflows],
  ...[groups, mixedGroups, otherGroups, lazyHistories, duplicates],
  ...[failures, failureFunctions, stepErrors, workflowErrors, earlyErrors, payloads],
  ...[refusals, unreachable, contexts, badUrls, regions, middlewares, overhearing, signatures, doors],
  ...[cancels, notifies, waiters, logPages, lists, resumes, restarts, deletions, functionRetries],
].flat();
