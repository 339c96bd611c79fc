import { base64, type Delivery, URL } from "./deliveries.ts";
import { type Json, normalise, readAnswer, readSent } from "./normalise.ts";
import type { Recorder } from "./recorder.ts";
import type { Scenario, Tools } from "./scenario.ts";
import type { Client, Handler, Options, Sdk } from "./sdks.ts";

/** Says whose it is, as a webhook's address has to. */
const TOKEN = base64(JSON.stringify({ UserID: "user", Password: "password" }));

/** Plays a scenario with one package. @returns everything that it has sent and answered, comparable */
export async function perform(scenario: Scenario, sdk: Sdk, recorder: Recorder): Promise<Json> {
  recorder.play(scenario.engine);
  const noted: unknown[] = [];
  const tools: Tools = { sdk, engine: recorder.url, note: (value) => void noted.push(value) };
  const acts: Json[] = [];
  const handler = handlerOf(scenario, tools, recorder.url);
  for (const delivery of scenario.deliveries ?? []) {
    const answer = typeof handler === "function" ? await deliver(handler, delivery) : handler;
    acts.push({ answer, sent: recorder.take().map(readSent) });
  }
  const client = clientOf(scenario, sdk, recorder.url);
  for (const ask of scenario.client ?? []) {
    const outcome = await ask(client).then(returned, thrown);
    acts.push({ outcome, sent: recorder.take().map(readSent) });
  }
  return normalise({ acts, noted: JSON.parse(JSON.stringify(noted)) }, recorder.url);
}

function handlerOf({ workflow, workflows, options }: Scenario, tools: Tools, engine: string): Handler | Json {
  const given = options?.(tools) ?? {};
  const env = { QSTASH_URL: engine, QSTASH_TOKEN: TOKEN, ...given.env };
  const all: Options = { qstashClient: { retry: false }, ...given, env };
  try {
    if (workflows) return tools.sdk.serveMany(workflows(tools), all);
    return workflow ? tools.sdk.serve(async (context) => workflow(context, tools), all) : null;
  } catch (error) {
    return thrown(error);
  }
}

function clientOf({ clientHeaders }: Scenario, sdk: Sdk, baseUrl: string): Client {
  return sdk.client({ baseUrl, token: TOKEN, ...(clientHeaders ? { headers: { ...clientHeaders } } : {}) });
}

async function deliver(
  handler: Handler,
  { url = URL, method = "POST", headers = {}, body }: Delivery,
): Promise<Json> {
  const request = new Request(url, { method, headers, ...(body === undefined ? {} : { body }) });
  try {
    return await readAnswer(await handler(request));
  } catch {
    return "the handler rejects";
  }
}

function returned(value: unknown): Json {
  return { returned: value === undefined ? null : JSON.parse(JSON.stringify(value)) };
}

// Messages are each package's own. What a caller can tell errors apart by isn't.
function thrown(error: unknown): Json {
  return { thrown: error instanceof Error ? error.constructor.name : typeof error };
}
