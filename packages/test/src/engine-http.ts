import type { GivenClient } from "@perdure/core";
import type { Engine, LocalRequest } from "@perdure/engine";

/** The address under which endpoints and clients know the engine. No request to it leaves the process. */
export const ENGINE_URL = "https://engine.perdure.test";

/**
 * Returns a client's settings that reach an engine of this process.
 *
 * @param before called before each request, which fails with its error
 */
export function connectTo(engine: Engine, before: (request: LocalRequest) => Promise<void>): GivenClient {
  const { http, token } = engine.client({ baseUrl: ENGINE_URL });
  const request = async <Answer>(it: LocalRequest): Promise<Answer> => {
    await before(it);
    return http.request<Answer>(it);
  };
  const connection = { token, http: { ...http, request } };
  return connection;
}
