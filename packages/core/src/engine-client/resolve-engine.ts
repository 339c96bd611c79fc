import type { Client } from "@upstash/qstash";
import { DEV_CREDENTIALS } from "../protocol/token.ts";
import { type Env, readVariable } from "../protocol/variables.ts";
import { WorkflowError } from "../util/errors.ts";
import { checkOptions } from "../util/options.ts";
import { testHost } from "../util/test-host.ts";
import { checkUrl } from "../util/url.ts";
import { type Engine, toEngine } from "./engine.ts";
import { checkCharacters, checkSecret, isDevMode, isProduction, resolveRegion } from "./environment.ts";
import { connect, connectWithClient, type EngineConfig } from "./http.ts";
import type { PublishOptions } from "./publish.ts";

const HOSTED_URL = "https://qstash.upstash.io";

/** A client, engine settings, or a function that creates a client. The environment supplies missing settings. */
export type GivenClient = Client | Partial<EngineConfig> | ((config: EngineConfig) => Client);

/** The connection that a test replaces. */
export interface ClientHost {
  readonly client: GivenClient;
}

/** @throws TypeError for an unknown setting */
export function checkClient(given: GivenClient | undefined): void {
  if (isClient(given)) return;
  const config = Object(given) as Partial<EngineConfig>;
  checkOptions("the client", config, "baseUrl token headers enableTelemetry devMode retry");
  checkOptions("retry", config.retry || {}, "retries backoff");
}

/**
 * Resolves the engine from a given client, or from settings; the environment supplies missing settings.
 *
 * @throws WorkflowError `missing_token` when neither settings nor environment have a token
 * @throws TypeError for an invalid token or URL; it names the option and the variable
 */
export function resolveEngine(
  given: GivenClient | undefined = {},
  env: Env,
  {
    disableTelemetry,
    region = resolveRegion(env, null) ?? "",
    trustsDestination = () => true,
  }: EngineOptions = {},
): Engine {
  const telemetry = !disableTelemetry && !readVariable(env, "PERDURE_DISABLE_TELEMETRY").value;
  const { name, value: envToken } = readVariable(env, "PERDURE_TOKEN", region);
  const { name: urlName, value: envUrl } = readVariable(env, "PERDURE_URL", region);
  given = testHost<ClientHost>()?.client ?? given;
  if (isClient(given)) {
    const connection = connectWithClient(given);
    // An official client without a token has an empty one.
    if (connection.token === "") throw missingToken(name, urlName);
    if (!isDevMode(env)) checkSecret("token of the qstashClient", connection.token, env);
    return toEngine(connection, { telemetry, trustsDestination });
  }
  const settings = typeof given === "function" ? {} : given;
  const dev = settings.devMode ?? isDevMode(env);
  const port = readVariable(env, "PERDURE_DEV_PORT").value ?? DEV_CREDENTIALS.port;
  const [url, known] = dev
    ? [`http://127.0.0.1:${port}`, DEV_CREDENTIALS.token]
    : [envUrl ?? HOSTED_URL, envToken];
  const { enableTelemetry = true } = settings;
  const token = settings.token || known;
  if (!token) throw missingToken(name, urlName);
  const what = `token (${name})`;
  if (!dev || isProduction(env)) checkSecret(what, token, env);
  checkCharacters(what, token);
  const baseUrl = checkUrl(`baseUrl (${urlName})`, settings.baseUrl || url);
  const config = { ...settings, token, baseUrl };
  const connection =
    typeof given === "function" ? connectWithClient(given(config)) : connect(config, [name, urlName]);
  return toEngine(connection, { telemetry: telemetry && enableTelemetry, trustsDestination });
}

interface EngineOptions {
  readonly disableTelemetry?: boolean | undefined;
  readonly region?: string | undefined;
  /** Default: trusts every destination. */
  readonly trustsDestination?: PublishOptions["trustsDestination"];
}

function missingToken(name: string, urlName: string): WorkflowError {
  return new WorkflowError(
    "missing_token",
    `There is no token for the engine. Set ${name} (and ${urlName}), or PERDURE_DEV=1 in development.`,
  );
}

function isClient(given: unknown): given is Client {
  return ["http", "batch", "publish"].some((name) => name in Object(given));
}
