import { Client } from "@upstash/qstash";
import type { EngineConfig } from "./engine-client/http.ts";

/**
 * Makes the official client send all requests to the engine; `context.qstashClient` is then that client:
 * `serve(workflow, { qstashClient: qstash })`.
 *
 * The client's development mode is off, because it would download and start a server: `config` names the engine.
 */
export function qstash(config: EngineConfig): Client {
  return new Client({ ...config, devMode: false });
}
