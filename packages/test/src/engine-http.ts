import type { GivenClient } from "@perdure/core";
import type { Engine } from "@perdure/engine";

/** A request as the runtime and the client make it. */
export interface EngineRequest {
  readonly method: string;
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly parseResponseAsJson: boolean;
}

/** The address under which endpoints and clients know the engine. No request to it leaves the process. */
export const ENGINE_URL = "https://engine.perdure.test";

/** The engine of a connection. */
export interface Connected {
  readonly engine: () => Engine;
  readonly token: string;
  /** Called before each request, which fails with its error. */
  readonly before: (request: EngineRequest) => Promise<void>;
}

/** Returns a client's settings that reach an engine of this process. */
export function connectTo({ engine, token, before }: Connected): GivenClient {
  const request = async (it: EngineRequest): Promise<unknown> => {
    await before(it);
    return send(engine(), token, it);
  };
  // The runtime reads only these two of an official client's fields.
  return { http: { baseUrl: ENGINE_URL, request }, token } as unknown as GivenClient;
}

async function send(engine: Engine, token: string, request: EngineRequest): Promise<unknown> {
  const { method, body } = request;
  const headers = { ...request.headers, Authorization: `Bearer ${token}` };
  const answer = await engine.fetch(new Request(urlOf(request), { method, headers, body }));
  const text = await answer.text();
  if (!answer.ok)
    throw Object.assign(new Error(text || `status ${answer.status}`), { status: answer.status });
  return request.parseResponseAsJson ? JSON.parse(text) : undefined;
}

function urlOf({ path, query }: EngineRequest): URL {
  const url = new URL([ENGINE_URL, ...path].join("/"));
  for (const [name, value] of Object.entries(query))
    for (const each of [value ?? []].flat())
      url.searchParams.append(name, String(each instanceof Date ? Number(each) : each));
  return url;
}
