export type { SigningKeys } from "./delivery/signer.ts";
export { fetchTransport, type OutgoingRequest, type Transport } from "./delivery/transport.ts";
export { type Clock, ManualClock } from "./domain/clock.ts";
export type { EngineEvent } from "./domain/event.ts";
export type { Reply } from "./domain/message.ts";
export { createEngine, type Engine, type EngineOptions } from "./engine.ts";
export { openSqlite, type SqliteOptions } from "./store/sqlite/index.ts";
export { type Store, StoreUnavailable } from "./store/store.ts";
export { systemClock } from "./system-clock.ts";
