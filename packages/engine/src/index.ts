export type { ResumeOptions, RetryOptions } from "./api/changed-options.ts";
export type {
  FlowInfo,
  FlowsApi,
  PinOptions,
  QueueInfo,
  QueueOptions,
  QueuesApi,
  UnpinOptions,
} from "./api/controls.ts";
export type {
  DeadLetterGroupPage,
  DeadLetterInfo,
  DeadLetterPage,
  DeadLetterSelection,
  DeadLettersApi,
  ResumedRun,
  ResumedRuns,
  RetriedMessages,
} from "./api/dlq.ts";
export type { EventOptions, EventsApi, NotifiedSteps, Waiters, WaitFilters, WaitPage } from "./api/events.ts";
export type {
  CancelMessageFilters,
  CancelRunFilters,
  DeadLetterFilters,
  LogFilters,
  RunFilters,
  RunSummaryFilters,
  Selection,
} from "./api/filters.ts";
export type { BatchResult, EngineApi, Published, PublishedTo, Triggered } from "./api/index.ts";
export type { LocalClient, LocalClientOptions, LocalRequest } from "./api/local-client.ts";
export type {
  LogPage,
  LogsApi,
  MessageInfo,
  MessagesApi,
  PendingFilters,
  PendingPage,
} from "./api/messages.ts";
export type {
  EnqueueOptions,
  Publication,
  PublishOptions,
  PublishToGroup,
  PublishToUrl,
  ReportOptions,
  ScheduleOptions,
  TriggerOptions,
} from "./api/publish-options.ts";
export type {
  BulkOptions,
  BulkResult,
  HistoryOptions,
  NumbersOptions,
  RunCounts,
  RunInfo,
  RunNumbers,
  RunOverview,
  RunPage,
  RunSummaryPage,
  RunsApi,
  StepPage,
  WaitOptions,
} from "./api/runs.ts";
export type { ScheduleInfo, SchedulesApi } from "./api/schedules.ts";
export type { AuditApi, AuditFilters, AuditPage, KeysApi, StreamOptions, UpkeepApi } from "./api/upkeep.ts";
export type { EndpointOptions, UrlGroupInfo, UrlGroupsApi } from "./api/url-groups.ts";
export type { Store, StoreSettings } from "./commands/store.ts";
export {
  createDashboard,
  type Dashboard,
  type DashboardEngine,
  type DashboardOptions,
} from "./dashboard/index.ts";
export type { LocalEndpoint, LocalEndpoints } from "./delivery/local-endpoints.ts";
export type { DestinationRules } from "./delivery/policy.ts";
export type { SigningKeys } from "./delivery/signer.ts";
export { fetchTransport, type OutgoingRequest, type Transport } from "./delivery/transport.ts";
export { createEngine, type Engine, type EngineServer } from "./engine.ts";
export type { EngineOptions } from "./engine-options.ts";
export { HISTORY_VERSION, type HistoryFile, toHistoryFile } from "./history-file.ts";
export { type MoveOptions, moveDatabase } from "./move-database.ts";
export { openPostgres, type PostgresStore } from "./open-postgres.ts";
export { backupSqlite, openSqlite } from "./open-sqlite.ts";
export { type Clock, ManualClock } from "./rules/clock.ts";
export { EngineError, type EngineErrorCode, type EngineErrorFacts } from "./rules/engine-error.ts";
export type { EngineEvent } from "./rules/event.ts";
export type { Reply } from "./rules/message.ts";
export { createServer, type ServerOptions, type Tenant, type TenantServer } from "./server.ts";
export type { BulkAction } from "./store/lists.ts";
export type { Backup } from "./store/maintenance.ts";
export type { MovedTable, MoveProgress } from "./store/move/copy.ts";
export { StoreUnavailable } from "./store/unavailable.ts";
export { systemClock } from "./system-clock.ts";
export type { LiveEvent } from "./watch/event-streams.ts";
