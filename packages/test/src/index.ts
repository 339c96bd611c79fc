export type { HistoryFile } from "@perdure/engine";
export type { CallAnswer, CallReply, MockCallOptions, TestCall } from "./calls.ts";
export { type ChaosDifference, ChaosError, type ChaosOptions, type ChaosReport } from "./chaos.ts";
export type { TestedWorkflow } from "./endpoints.ts";
export type { Fault, FaultOptions } from "./faults.ts";
export type { MockOutcome } from "./mocks.ts";
export { assertReplays, ReplayError, type ReplayOptions } from "./replay.ts";
export type { TestFailure } from "./run-record.ts";
export type { TestAttempt, TestStep } from "./step-record.ts";
export { type TestClock, TestEngine, type TestEngineOptions, testEngine } from "./test-engine.ts";
export {
  RunFailedError,
  type RunUntil,
  type StepChoice,
  TestRun,
  type WebhookRequest,
} from "./test-run.ts";
