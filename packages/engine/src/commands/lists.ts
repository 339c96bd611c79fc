import { affectedRuns } from "../queries/affected-runs.ts";
import { backlog } from "../queries/backlog.ts";
import { deadLetterGroups } from "../queries/dead-letter-groups.ts";
import { deadLetters, runs } from "../queries/lists.ts";
import { logs } from "../queries/logs.ts";
import { currentNumbers, runNumbers } from "../queries/numbers.ts";
import { runOverview } from "../queries/run-overview.ts";
import { runSteps } from "../queries/run-steps.ts";
import { countRuns, runSummaries } from "../queries/run-summaries.ts";
import { waiters } from "../queries/waiters.ts";
import { openWaits, unfinishedMessages } from "../queries/waiting.ts";
import { workflowUrls } from "../queries/workflow-urls.ts";
import { listActions } from "./audit.ts";
import { listFlows } from "./flow-control.ts";
import { list } from "./operation.ts";
import { listQueues } from "./queues.ts";
import { listSchedules } from "./schedules.ts";
import { listUrlGroups } from "./url-groups.ts";

/**
 * The operations that list, search and count for people. The store of a SQLite file runs them in other threads, so
 * their arguments and results must be plain data.
 */
export const LISTS = {
  runs: list(runs),
  runSummaries: list(runSummaries),
  runOverview: list(runOverview),
  runSteps: list(runSteps),
  countRuns: list(countRuns),
  workflowUrls: list(workflowUrls),
  affectedRuns: list(affectedRuns),
  logs: list(logs),
  waiters: list(waiters),
  openWaits: list(openWaits),
  unfinishedMessages: list(unfinishedMessages),
  runNumbers: list(runNumbers),
  currentNumbers: list(currentNumbers),
  deadLetters: list(deadLetters),
  deadLetterGroups: list(deadLetterGroups),
  urlGroups: list(listUrlGroups),
  queues: list(listQueues),
  schedules: list(listSchedules),
  flows: list(listFlows),
  actions: list(listActions),
  backlog: list(backlog),
};
