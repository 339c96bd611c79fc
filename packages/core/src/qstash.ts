import { Client } from "@upstash/qstash";
import type { EngineConfig } from "./engine-client/http.ts";

/**
 * Creates the official client for the option `qstashClient`. The runtime then sends all requests to the engine with it, and
 * `context.qstashClient` is that client.
 *
 * The client's development mode is off, because it would download and start a server: `config` names the engine.
 *
 * @example
 * ```ts
 * import { serve } from "@perdure/core";
 * import { qstash } from "@perdure/core/qstash";
 *
 * const { handler } = serve(workflow, { qstashClient: qstash });
 * ```
 */
export function qstash(config: EngineConfig): Client {
  return new Client({ ...config, devMode: false });
}
