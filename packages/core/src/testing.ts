/** The parts of the runtime that `@perdure/test` replaces and reads. @module */
import type { ClientHost } from "./engine-client/resolve-engine.ts";
import type { DefinitionHost } from "./handlers/delivery-context.ts";
import type { EndpointHost } from "./server/endpoint-config.ts";
import type { TestHost } from "./util/test-host.ts";

export { type StepHost, WorkflowContext } from "./context.ts";
export type { EndpointDefinition } from "./handlers/delivery-context.ts";
export type { HistoryEntry } from "./protocol/history.ts";
export { readHistory } from "./protocol/history.ts";
export { collectRollbacks } from "./replay/collect-rollbacks.ts";
export { readStepHistory } from "./replay/step-history.ts";
export { type Step, type StepAttempt, serialize } from "./steps/index.ts";

/** The surroundings that a test gives to endpoints and clients that run in its scope. */
export interface RuntimeHost extends TestHost, ClientHost, EndpointHost, DefinitionHost {}
