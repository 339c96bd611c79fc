import { Client } from "@upstash/qstash";
import type { EngineConfig } from "./engine-client/http.ts";

/**
 * Has the official client make all requests to the engine, and `context.qstashClient` be that client:
 * `serve(workflow, { qstashClient: qstash })`.
 *
 * Without its development mode, which would download and start a server: what it should talk to is in `config`.
 */
export function qstash(config: EngineConfig): Client {
  return new Client({ ...config, devMode: false });
}
